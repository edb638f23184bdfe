"""PyTorch peer: the same GPT, step and optimiser. Usage: peer_torch.py <workload folder> <threads>."""
import math
import os
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from torch_engine import adamw, read_tokens, read_weights, read_work, serve

folder, work, threads = read_work()
c = work["case"]
B, T, D, H, V = c["batch"], c["length"], c["dim"], c["heads"], c["vocab"]


def convert(name, value):
    """nn.Linear keeps weights as [out, in]; F.linear multiplies by the transpose."""
    return value.t().contiguous() if name.endswith(".weight") or name == "head" else value


P = read_weights(folder, work, convert)
optimizer = adamw(P, {name for name, p in P.items() if p.dim() > 1}, work["adam"])
mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
scale = 1 / math.sqrt(D // H)


def norm(h, name):
    return F.layer_norm(h, (D,), P[f"{name}.gain"], P[f"{name}.bias"], 1e-5)


def dense(h, name):
    return F.linear(h, P[f"{name}.weight"], P[f"{name}.bias"])


def heads(t):
    return t.view(B, T, H, D // H).transpose(1, 2)


def forward(x):
    h = F.embedding(x, P["embed"]) + P["position"]
    for i in range(c["layers"]):
        b = f"blocks.{i}"
        q, k, v = (heads(t) for t in dense(norm(h, f"{b}.ln1"), f"{b}.qkv").split(D, dim=2))
        scores = (q @ k.transpose(-2, -1)) * scale
        pattern = F.softmax(scores.masked_fill(mask, -1e9), dim=-1)
        mixed = (pattern @ v).transpose(1, 2).contiguous().view(B, T, D)
        h = h + dense(mixed, f"{b}.out")
        h = h + dense(F.gelu(dense(norm(h, f"{b}.ln2"), f"{b}.up"), approximate="tanh"), f"{b}.down")
    return F.linear(norm(h, "norm"), P["head"])


def loss_of(x, y):
    return F.cross_entropy(forward(x).view(-1, V), y.view(-1))


def blas():
    """What torch multiplies matrices with: reads the libraries this process has loaded."""
    names = {line.split("/")[-1].strip() for line in open("/proc/self/maps") if "blas" in line or "mkl_" in line}
    for name in ("openblas", "mkl"):
        if any(name in n for n in names):
            return name
    return "+".join(sorted(names)) or "built-in BLAS"


version = f"{torch.__version__} ({blas()}, {threads} threads)"
serve(work, version, read_tokens(folder, work, B, T), optimizer, loss_of)
