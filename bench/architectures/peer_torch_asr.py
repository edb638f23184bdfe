"""PyTorch peer: the same cascaded conformer transducer, the same step. Usage: peer_torch_asr.py <workload folder> <threads>."""
import json
import math
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
work = json.load(open(f"{folder}/workload.json"))
c, opt, shape = work["config"], work["optimizer"], work["shape"]
B, R, COLS = shape["batch"], shape["rows"], shape["labels"] + 1
D, H, K = c["hidden_size"], c["num_attention_heads"], c["conv_kernel"]
IN, EPS, SIZES = c["audio"]["mels"] * c["audio"]["stack"], c["rms_norm_eps"], list(c["asr_sizes"])
flat = np.fromfile(f"{folder}/params.f32", dtype="<f4")
raw = np.fromfile(f"{folder}/feeds.bin", dtype="<f4")


def read_batches():
    at = 0

    def take(*dims, integer=False):
        nonlocal at
        size = math.prod(dims)
        part = raw[at : at + size]
        at += size
        part = part.view("<i4").astype(np.int64) if integer else part
        return torch.tensor(part.reshape(dims))

    return [
        (take(B, R, IN), take(B, R, 1), take(B, COLS, 2, integer=True), take(B, COLS, integer=True), take(B, 1, integer=True))
        for _ in range(work["batches"])
    ]


batches = read_batches()
P, at, decaying, others = {}, 0, [], []
for item in work["params"]:
    size = math.prod(item["shape"])
    value = torch.tensor(flat[at : at + size].reshape(item["shape"]))
    at += size
    name = item["name"]
    # F.linear multiplies by the transpose, as nn.Linear keeps its weights; F.conv1d takes [channels, 1, kernel].
    if name.endswith("depthwise.weight"):
        value = value.t().unsqueeze(1).contiguous()
    elif name.endswith(".weight") or name.endswith(".proj"):
        value = value.t().contiguous()
    P[name] = value.requires_grad_(True)
    (decaying if item["decay"] else others).append(P[name])

optimizer = torch.optim.AdamW(
    [{"params": decaying, "weight_decay": opt["weightDecay"]}, {"params": others, "weight_decay": 0.0}],
    lr=opt["lr"],
    betas=(opt["beta1"], opt["beta2"]),
    eps=opt["eps"],
)
half = D // H // 2
frequencies = c["rope_theta"] ** (-torch.arange(half) / half)


def rope(t, positions):
    angle = positions[:, None] * frequencies[None, :]
    cos, sin = angle.cos(), angle.sin()
    a, b = t[..., :half], t[..., half:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def norm(h, name):
    return h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + EPS) * P[f"{name}.gain"]


def feed_forward(x, p):
    h = F.silu(F.linear(norm(x, f"{p}.norm"), P[f"{p}.up.weight"]))
    return 0.5 * F.linear(h, P[f"{p}.down.weight"])


def heads(t):
    return t.view(B, t.shape[1], H, D // H).transpose(1, 2)


def attend(x, valid, p, right, funnel):
    n = norm(x, f"{p}.norm")
    k, v = (F.linear(n, P[f"{p}.{w}.weight"]) for w in "kv")
    length = x.shape[1]
    keys = torch.arange(length)
    at = keys
    if funnel:
        pairs = valid.view(B, length // 2, 2, 1)
        count = pairs.sum(2)
        x = (x.view(B, length // 2, 2, D) * pairs).sum(2) / count.clamp(min=1)
        valid = count.clamp(max=1)
        at = torch.arange(length // 2) * 2 + 1
    q = F.linear(norm(x, f"{p}.norm"), P[f"{p}.q.weight"])
    outside = (keys[None, :] < at[:, None] - c["left_context"]) | (keys[None, :] > at[:, None] + right)
    mask = torch.where(outside, -1e9, 0.0)
    if right > 0 or funnel:
        real = valid if not funnel else pairs.reshape(B, length, 1)
        mask = mask + (real.view(B, 1, 1, length) - 1) * 1e9
    scores = rope(heads(q), at) @ rope(heads(k), keys).transpose(-2, -1) / math.sqrt(D // H)
    mixed = (F.softmax(scores + mask, -1) @ heads(v)).transpose(1, 2).reshape(x.shape)
    return x + F.linear(mixed, P[f"{p}.o.weight"]), valid


def convolve(x, valid, p, causal):
    g = F.glu(F.linear(norm(x, f"{p}.norm"), P[f"{p}.in.weight"]), -1) * valid
    lag = (K - 1) // 2
    padded = F.pad(g.transpose(1, 2), (K - 1, 0) if causal else (lag, lag))
    y = F.conv1d(padded, P[f"{p}.depthwise.weight"], groups=D).transpose(1, 2)
    return x + F.linear(F.silu(norm(y, f"{p}.mid")), P[f"{p}.out.weight"])


def block(x, valid, p, causal, funnel):
    x = x + feed_forward(x, f"{p}.ffn1")
    x, valid = attend(x, valid, f"{p}.attn", 0 if causal else c["asr_right_context"], funnel)
    x = convolve(x, valid, f"{p}.conv", causal)
    x = x + feed_forward(x, f"{p}.ffn2")
    return norm(x, f"{p}.norm"), valid


def encode(x, valid):
    out = {}
    x = F.linear(x, P["encoder.input.weight"], P["encoder.input.bias"])
    depth = c["asr_sizes"]
    for i in range(max(d["causal_layers"] for d in depth.values())):
        x, valid = block(x, valid, f"encoder.causal.{i}", True, i == c["funnel_layer"])
        for size in SIZES:
            if depth[size]["noncausal_layers"] == 0 and depth[size]["causal_layers"] == i + 1:
                out[size] = x
    for i in range(max(d["noncausal_layers"] for d in depth.values())):
        x, valid = block(x, valid, f"encoder.noncausal.{i}", False, False)
        for size in SIZES:
            if depth[size]["noncausal_layers"] == i + 1:
                out[size] = x
    return out


def lattice(size, encoded, context, following):
    affine = lambda z, n: F.linear(z, P[f"joint.{size}.{n}.weight"], P[f"joint.{size}.{n}.bias"])
    said = F.linear(P[f"decoder.{size}.embed"][context].flatten(2), P[f"decoder.{size}.proj"])
    z = torch.tanh(affine(encoded, "encoder").unsqueeze(2) + said.unsqueeze(1))
    a = affine(z, "blank").squeeze(-1)
    labels = F.log_softmax(affine(z, "label"), -1)
    wanted = (following - 1).clamp(min=0).view(B, 1, COLS, 1).expand(-1, z.shape[1], -1, 1)
    return F.logsigmoid(a), F.logsigmoid(-a) + labels.gather(3, wanted).squeeze(-1)


def transducer(blank, label, pick):
    """-log P: column u from column u - 1 by a running log-sum-exp over frames."""
    waited = F.pad(blank.cumsum(1)[:, :-1], (0, 0, 1, 0))
    forward = waited[:, :, 0]
    ends = [forward + blank[:, :, 0]]
    for u in range(1, COLS):
        entered = forward + label[:, :, u - 1] - waited[:, :, u]
        forward = torch.logcumsumexp(entered, 1) + waited[:, :, u]
        ends.append(forward + blank[:, :, u])
    return -torch.stack(ends, 2).flatten(1).gather(1, pick)


count = 0


def step():
    global count
    features, valid, context, following, pick = batches[count % len(batches)]
    count += 1
    optimizer.zero_grad(set_to_none=True)
    encoded = encode(features, valid)
    both = [lattice(size, encoded[size], context, following) for size in SIZES]
    blank, label = torch.cat([b for b, _ in both]), torch.cat([l for _, l in both])
    loss = transducer(blank, label, pick.repeat(len(SIZES), 1)).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(decaying + others, opt["clipNorm"])
    optimizer.step()
    return loss.item()


def answer(value):
    print(json.dumps(value), flush=True)


losses = [step() for _ in range(work["warmup"])]
answer({"version": f"{torch.__version__} ({threads} threads)", "check": losses})
for line in sys.stdin:
    seconds = json.loads(line)["seconds"]
    start, units = time.perf_counter(), 0
    while units == 0 or time.perf_counter() - start < seconds:
        step()
        units += 1
    answer({"units": units, "ms": (time.perf_counter() - start) * 1000})
