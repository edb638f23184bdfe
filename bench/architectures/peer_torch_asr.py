"""PyTorch peer: the same cascaded conformer transducer, the same step. Usage: peer_torch_asr.py <workload folder> <threads>."""
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from torch_engine import adamw, read_weights, read_work, serve

folder, work, threads = read_work()
c, opt, shape = work["config"], work["optimizer"], work["shape"]
B, R, COLS = shape["batch"], shape["rows"], shape["labels"] + 1
D, H, K = c["hidden_size"], c["num_attention_heads"], c["conv_kernel"]
IN, EPS, SIZES = c["audio"]["mels"] * c["audio"]["stack"], c["rms_norm_eps"], list(c["asr_sizes"])
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


def convert(name, value):
    """F.linear multiplies by the transpose, as nn.Linear keeps its weights; F.conv1d takes [channels, 1, kernel]."""
    if name.endswith("depthwise.weight"):
        return value.t().unsqueeze(1).contiguous()
    return value.t().contiguous() if name.endswith(".weight") or name.endswith(".proj") else value


P = read_weights(folder, work, convert)
optimizer = adamw(P, {item["name"] for item in work["params"] if item["decay"]}, opt)
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


def loss_of(features, valid, context, following, pick):
    encoded = encode(features, valid)
    both = [lattice(size, encoded[size], context, following) for size in SIZES]
    blank, label = torch.cat([b for b, _ in both]), torch.cat([l for _, l in both])
    return transducer(blank, label, pick.repeat(len(SIZES), 1)).mean()


version = f"{torch.__version__} ({threads} threads)"
serve(work, version, read_batches(), optimizer, loss_of, clip=opt["clipNorm"])
