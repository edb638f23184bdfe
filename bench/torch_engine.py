"""What PyTorch peers share: the workload's first weights, AdamW, and rounds over standard input and output as rounds.ts wants them."""
import json
import math
import sys
import time

import numpy as np
import torch


def read_work():
    """The folder of the workload, its index, and the threads to use: the arguments of every peer."""
    folder, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    return folder, json.load(open(f"{folder}/workload.json")), threads


def read_tokens(folder, work, batch, length):
    """Pairs of tokens and of the next tokens, `[batch, length]` each."""
    ids = np.fromfile(f"{folder}/tokens.i32", dtype="<i4").reshape(work["batches"], 2, batch, length)
    return [(torch.tensor(b[0], dtype=torch.long), torch.tensor(b[1], dtype=torch.long)) for b in ids]


def read_weights(folder, work, convert):
    """Parameters by their names, each as `convert(name, value)` gives it."""
    flat = np.fromfile(f"{folder}/params.f32", dtype="<f4")
    params, at = {}, 0
    for item in work["params"]:
        size = math.prod(item["shape"])
        value = torch.tensor(flat[at : at + size].reshape(item["shape"]))
        at += size
        params[item["name"]] = convert(item["name"], value).requires_grad_(True)
    return params


def adamw(params, decays, settings):
    """AdamW that decays the parameters whose names `decays` has."""
    return torch.optim.AdamW(
        [
            {"params": [p for n, p in params.items() if n in decays], "weight_decay": settings["weightDecay"]},
            {"params": [p for n, p in params.items() if n not in decays], "weight_decay": 0.0},
        ],
        lr=settings["lr"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["eps"],
    )


def serve(work, version, batches, optimizer, loss_of, clip=None):
    """Warms up, tells the losses of the first steps, then answers rounds. `clip`: a global norm for gradients."""
    count = 0
    params = [p for group in optimizer.param_groups for p in group["params"]]

    def step():
        nonlocal count
        batch = batches[count % len(batches)]
        count += 1
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(*batch)
        loss.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(params, clip)
        optimizer.step()
        return loss.item()

    def answer(value):
        print(json.dumps(value), flush=True)

    losses = [step() for _ in range(work["warmup"])]
    answer({"version": version, "check": losses})
    for line in sys.stdin:
        seconds = json.loads(line)["seconds"]
        start, units = time.perf_counter(), 0
        while units == 0 or time.perf_counter() - start < seconds:
            step()
            units += 1
        answer({"units": units, "ms": (time.perf_counter() - start) * 1000})
