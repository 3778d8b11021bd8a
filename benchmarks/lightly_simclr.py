"""lightly's SimCLR with infomax's ConvNet, in an interpreter of its own (benchmarks/peers.sh).

    PYTHONPATH=src .venv-peers/bin/python benchmarks/lightly_simclr.py PICTURES.npy OUT.npz

Everything but the encoder is lightly's: SimCLRTransform as in its CIFAR-10 benchmark (no blur) on
PIL pictures, SimCLRProjectionHead, NTXentLoss, a DataLoader. AdamW with the schedule of infomax's
engine (a linear rise, half a cosine). OUT.npz holds the encoder's weights; the last line printed
is the seconds of all steps, start-up not counted. With --steps it only counts time.
"""

import argparse
import math
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from infomax.encoders import ConvNet

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-peers" / "bin" / "python"
WARMUP = 100


def run(pictures, batch, threads, **options):
    """Train on pictures [n, side, side]; returns the seconds that it counted, and the weights."""
    with tempfile.TemporaryDirectory() as folder:
        file, weights = Path(folder) / "pictures.npy", Path(folder) / "weights.npz"
        np.save(file, pictures)
        command = [PEERS, __file__, file, weights, f"--batch={batch}", f"--threads={threads}"]
        command += [f"--{name}={value}" for name, value in options.items()]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
        words = [str(word) for word in command]
        out = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        with np.load(weights) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    return float(out.stdout.split()[-1]), tensors


class Pictures(Dataset):
    def __init__(self, pixels):
        from lightly.transforms import SimCLRTransform

        self.pixels = pixels
        self.transform = SimCLRTransform(
            input_size=pixels.shape[-1],
            gaussian_blur=0.0,
            normalize={"mean": [0.5], "std": [0.5]},
        )

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.pixels[index]))


def main():
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--temperature", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clock", default="perf_counter")
    asked = parser.parse_args()
    now = getattr(time, asked.clock)
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    loader = DataLoader(
        Pictures(np.load(asked.pictures)),
        batch_size=asked.batch,
        shuffle=True,
        drop_last=True,
        num_workers=asked.workers,
        persistent_workers=asked.workers > 0,
    )
    conv = ConvNet(channels=1, width=48, stages=3)
    features = conv(torch.zeros(2, 1, 28, 28)).shape[1]
    head = SimCLRProjectionHead(features, 2048, 128)
    conv.to(memory_format=torch.channels_last)
    criterion = NTXentLoss(temperature=asked.temperature)
    parameters = [*conv.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=asked.lr, weight_decay=1e-4, fused=True)
    total = asked.steps + 2 if asked.steps else len(loader) * asked.epochs
    warmup = min(WARMUP, total // 10)
    step, started = 0, now()
    for _ in range(math.ceil(total / len(loader))):
        for views in loader:
            if step == total:
                break
            if asked.steps and step == 2:  # the first two are start-up
                started = now()
            rise = (step + 1) / warmup if step < warmup else None
            fall = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
            for group in optimizer.param_groups:
                group["lr"] = asked.lr * (fall if rise is None else rise)
            a, b = (head(conv(view)) for view in views[:2])
            loss = criterion(a, b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % 20 == 0:
                print(f"step {step}/{total} loss {loss.item():.3f}", flush=True)
    seconds = now() - started
    np.savez(asked.out, **{name: value.numpy() for name, value in conv.state_dict().items()})
    print(seconds)


if __name__ == "__main__":
    main()
