"""PyTorch peer: the same language model with AltUp, the same step. Usage: peer_torch_lm.py <workload folder> <threads>."""
import math
import os
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from torch_engine import adamw, read_tokens, read_weights, read_work, serve

folder, work, threads = read_work()
c, opt = work["config"], work["optimizer"]
B, T = work["batch"], work["length"]
D, H, V, L = c["hidden_size"], c["num_attention_heads"], c["vocab_size"], c["num_hidden_layers"]
K, EPS = c.get("altup_num_inputs", 1), c["rms_norm_eps"]


def convert(name, value):
    """F.linear multiplies by the transpose, as nn.Linear keeps its weights."""
    return value.t().contiguous() if name.endswith(".weight") and name != "embed.weight" else value


P = read_weights(folder, work, convert)
optimizer = adamw(P, {item["name"] for item in work["params"] if item["decay"]}, opt)
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


def loss_of(x, y):
    return F.cross_entropy(forward(x).view(-1, V), y.view(-1))


version = f"{torch.__version__} ({threads} threads)"
serve(work, version, read_tokens(folder, work, B, T), optimizer, loss_of, clip=opt["clipNorm"])
