"""python -m laurel_train STEP: reader, detector, ablation, export, evaluate, confusion, card. `scripts/train/run` calls them in order."""

import argparse
import pathlib

HERE = pathlib.Path(__file__).resolve()
REPOSITORY = HERE.parents[3]


def main():
    p = argparse.ArgumentParser(prog="laurel_train", description=__doc__)
    p.add_argument("step", choices=["reader", "detector", "ablation", "export", "evaluate", "confusion", "card"])
    p.add_argument("--data", type=pathlib.Path, default=REPOSITORY.parent / "shared" / "data", help="folder with train/, eval/, glyphs/")
    p.add_argument("--work", type=pathlib.Path, default=REPOSITORY / ".cache" / "train", help="pools, checkpoints, reports")
    p.add_argument("--models", type=pathlib.Path, default=REPOSITORY / "models", help="where the ONNX pair and its manifest go")
    p.add_argument("--fonts", type=pathlib.Path, default=REPOSITORY / "node_modules", help="folder with @fontsource packages")
    p.add_argument("--device", default="cpu", help="cpu or cuda")
    p.add_argument("--threads", type=int, default=1, help="threads of one training step")
    p.add_argument("--jobs", type=int, default=1, help="processes that fill a pool")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--images", type=int, help="images to see in training")
    p.add_argument("--minutes", type=float, help="end training after so many minutes (the schedule is fitted to it)")
    p.add_argument("--pool", type=int, help="samples kept in the pool")
    p.add_argument("--refresh", type=int, help="samples made anew at every step")
    p.add_argument("--rate", type=float, help="learning rate")
    p.add_argument("--start-from", type=pathlib.Path, help="checkpoint, exported ONNX file or folder of them whose weights a new training starts with")
    a = p.parse_args()
    if a.start_from and a.start_from.is_dir():
        a.start_from = a.start_from / f"{a.step}.onnx"
    a.work.mkdir(parents=True, exist_ok=True)
    options = {k: v for k, v in (("images", a.images), ("pool_size", a.pool), ("refresh", a.refresh), ("rate", a.rate), ("start_from", a.start_from)) if v is not None}
    if a.step == "reader":
        from .train_reader import train
        train(a.data, a.work, a.fonts, seed=a.seed, jobs=a.jobs, device=a.device, threads=a.threads, minutes=a.minutes, **options)
    elif a.step == "detector":
        from .train_detector import train
        train(a.data, a.work, a.fonts, seed=a.seed, jobs=a.jobs, device=a.device, threads=a.threads, minutes=a.minutes, **options)
    elif a.step == "ablation":
        from .ablation import ablate
        sizes = {k: options[k] for k in ("images", "pool_size") if k in options}
        ablate(a.data, a.work, a.fonts, seed=a.seed, jobs=a.jobs, device=a.device, threads=a.threads, **sizes)
    elif a.step == "export":
        from .export import export
        export(a.work, a.models, a.data, a.seed)
    elif a.step == "evaluate":
        from .evaluate import evaluate
        evaluate(a.models, a.data, a.work, a.fonts)
    elif a.step == "confusion":
        from .confusion import write_confusion
        write_confusion(a.models, a.data, a.fonts, a.work, REPOSITORY / "src/plate/confusion-measured.ts")
    elif a.step == "card":
        from .card import write_card
        write_card(a.models, a.work)


if __name__ == "__main__":
    main()
