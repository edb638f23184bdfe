"""PyTorch peer: the same language model with AltUp, the same step. Usage: peer_torch_lm.py <workload folder> <threads>."""
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
c, opt = work["config"], work["optimizer"]
B, T = work["batch"], work["length"]
D, H, V, L = c["hidden_size"], c["num_attention_heads"], c["vocab_size"], c["num_hidden_layers"]
K, EPS = c.get("altup_num_inputs", 1), c["rms_norm_eps"]
flat = np.fromfile(f"{folder}/params.f32", dtype="<f4")
ids = np.fromfile(f"{folder}/tokens.i32", dtype="<i4").reshape(work["batches"], 2, B, T)
batches = [(torch.tensor(b[0], dtype=torch.long), torch.tensor(b[1], dtype=torch.long)) for b in ids]

P, at, decaying, others = {}, 0, [], []
for item in work["params"]:
    size = math.prod(item["shape"])
    value = torch.tensor(flat[at : at + size].reshape(item["shape"]))
    at += size
    name = item["name"]
    # F.linear multiplies by the transpose, as nn.Linear keeps its weights.
    if name.endswith(".weight") and name != "embed.weight":
        value = value.t().contiguous()
    P[name] = value.requires_grad_(True)
    (decaying if item["decay"] else others).append(P[name])

optimizer = torch.optim.AdamW(
    [{"params": decaying, "weight_decay": opt["weightDecay"]}, {"params": others, "weight_decay": 0.0}],
    lr=opt["lr"],
    betas=(opt["beta1"], opt["beta2"]),
    eps=opt["eps"],
)
mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
half = D // H // 2
angle = torch.arange(T)[:, None] * c["rope_theta"] ** (-torch.arange(half) / half)[None, :]
cos, sin = angle.cos(), angle.sin()


def norm(h, name):
    return h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + EPS) * P[f"{name}.gain"]


def rope(t):
    a, b = t[..., :half], t[..., half:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def inner(h, b):
    x = norm(h, f"{b}.ln1")
    q, k, v = (F.linear(x, P[f"{b}.attn.{n}.weight"]).view(B, T, H, D // H).transpose(1, 2) for n in "qkv")
    scores = (rope(q) @ rope(k).transpose(-2, -1)) / math.sqrt(D // H)
    pattern = F.softmax(scores.masked_fill(mask, -1e9), dim=-1)
    mixed = (pattern @ v).transpose(1, 2).reshape(B, T, D)
    h = h + F.linear(mixed, P[f"{b}.attn.o.weight"])
    wide = F.linear(norm(h, f"{b}.ln2"), P[f"{b}.mlp.in.weight"], P[f"{b}.mlp.in.bias"])
    return h + F.linear(F.gelu(wide, approximate="tanh"), P[f"{b}.mlp.out.weight"], P[f"{b}.mlp.out.bias"])


def forward(x):
    e = F.embedding(x, P["embed.weight"])
    if K == 1:
        for i in range(L):
            e = inner(e, f"blocks.{i}")
        return F.linear(norm(e, "ln_final"), P["unembed.weight"])
    s = e.view(B, T, K, D).permute(2, 0, 1, 3)  # [K, B, T, D]
    for i in range(L):
        j = i % K
        p, g = P["altup.prediction_coefs"].view(L, K, K)[i], P["altup.correction_coefs"].view(L, K)[i]
        y = inner(s[j], f"blocks.{i}")
        predicted = torch.einsum("ij,jbtd->ibtd", p, s)
        s = predicted + g.view(K, 1, 1, 1) * (y - predicted[j])
    h = s.permute(1, 2, 0, 3).reshape(B, T, K * D)
    return F.linear(norm(h, "ln_final"), P["unembed.weight"])


count = 0


def step():
    global count
    x, y = batches[count % len(batches)]
    count += 1
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(forward(x).view(-1, V), y.view(-1))
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
