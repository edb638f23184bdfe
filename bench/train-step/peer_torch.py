"""PyTorch peer: the same GPT, step and optimiser. Usage: peer_torch.py <workload folder> <threads>."""
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
c, adam = work["case"], work["adam"]
B, T, D, H, V = c["batch"], c["length"], c["dim"], c["heads"], c["vocab"]
flat = np.fromfile(f"{folder}/params.f32", dtype="<f4")
ids = np.fromfile(f"{folder}/tokens.i32", dtype="<i4").reshape(work["batches"], 2, B, T)
batches = [(torch.tensor(b[0], dtype=torch.long), torch.tensor(b[1], dtype=torch.long)) for b in ids]

P, at = {}, 0
for item in work["params"]:
    size = math.prod(item["shape"])
    value = torch.tensor(flat[at : at + size].reshape(item["shape"]))
    at += size
    # nn.Linear keeps weights as [out, in]; F.linear multiplies by the transpose.
    if item["name"].endswith(".weight") or item["name"] == "head":
        value = value.t().contiguous()
    P[item["name"]] = value.requires_grad_(True)

matrices = [p for p in P.values() if p.dim() > 1]
vectors = [p for p in P.values() if p.dim() == 1]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": adam["weightDecay"]}, {"params": vectors, "weight_decay": 0.0}],
    lr=adam["lr"],
    betas=(adam["beta1"], adam["beta2"]),
    eps=adam["eps"],
)
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


count = 0


def step():
    global count
    x, y = batches[count % len(batches)]
    count += 1
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(forward(x).view(-1, V), y.view(-1))
    loss.backward()
    optimizer.step()
    return loss.item()


def blas():
    """What torch multiplies matrices with: reads the libraries this process has loaded."""
    names = {line.split("/")[-1].strip() for line in open("/proc/self/maps") if "blas" in line or "mkl_" in line}
    for name in ("openblas", "mkl"):
        if any(name in n for n in names):
            return name
    return "+".join(sorted(names)) or "built-in BLAS"


def answer(value):
    print(json.dumps(value), flush=True)


losses = [step() for _ in range(work["warmup"])]
answer({"version": f"{torch.__version__} ({blas()}, {threads} threads)", "check": losses})
for line in sys.stdin:
    seconds = json.loads(line)["seconds"]
    start, units = time.perf_counter(), 0
    while units == 0 or time.perf_counter() - start < seconds:
        step()
        units += 1
    answer({"units": units, "ms": (time.perf_counter() - start) * 1000})
