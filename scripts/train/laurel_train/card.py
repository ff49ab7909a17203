"""The model card: figures from the manifest and the last report, words that hold for every training."""

import json
import pathlib


def percent(v) -> str:
    return "-" if v is None else f"{100 * v:.1f} %"


def write_card(models: pathlib.Path, work: pathlib.Path) -> None:
    manifest = json.loads((models / "manifest.json").read_text(encoding="utf8"))
    report = json.loads((work / "report/report.json").read_text(encoding="utf8"))
    d, r, t = manifest["detector"], manifest["reader"], manifest["training"]
    manifest["figures"].update({k: report[k] for k in ("evalCrops", "evalCcpd", "evalStreet", "evalStreetProvince", "backgrounds", "ms")})
    (models / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf8")
    v = manifest["figures"]["validation"]
    notes = pathlib.Path(__file__).with_name("card-notes.md")
    by_class = "\n".join(f"| {k} | {a} of {b} |" for k, (a, b) in sorted(report["evalStreetByClass"].items()))
    calibration = "\n".join(f"| {a:g} to {b:g} | {n} | {c:.3f} | {s:.3f} |" for a, b, n, c, s in report["calibrationOnEval"])
    confused = ", ".join(f"{k} {n}" for k, n in report["confusions"]["characters"][:12]) or "none"
    provinces = ", ".join(f"{k} {n}" for k, n in report["confusions"]["provinces"][:12]) or "none"
    b = report["backgrounds"]
    text = f"""# Models

`detector.onnx` finds plates and their four corners, `reader.onnx` reads a straightened plate. `manifest.json` tells the
runtime how to feed them and checks their digests. Written by `scripts/train/run`; the figures below are of these very files.

| | detector | reader |
|---|---|---|
| task | plate centre, four corners, one or two rows | up to nine characters, colour class, rows, the plate's corners in the crop |
| input | RGB 0..1, any multiple of 32 (runtime: long side {d['input']['longSide']}) | {r['input']['width']}x{r['input']['height']}, plate with a margin of {r['input']['margin']} px |
| parameters | {t['detectorParameters']:,} | {t['readerParameters']:,} |
| file | {d['bytes'] / 1e6:.2f} MB | {r['bytes'] / 1e6:.2f} MB |
| pictures seen in training | {t['detectorImages'] + t['detectorImagesBefore']:,} | {t['readerImages'] + t['readerImagesBefore']:,} |
| one thread, median here | {report['ms'].get('detect', 0):.1f} ms a picture | {report['ms'].get('read', 0):.2f} ms a plate |

Weights are stored as 16-bit floats and widened when the file is loaded; arithmetic is 32-bit.

## Figures

All characters right, the letter O and the digit 0 alike. Scenes: from the picture, best plate. Training, choice of
checkpoint, threshold and calibration do not use these sets; people did look at their mistakes between trainings.

| set | right | province right | given corners | located (IoU over 0.7) |
|---|---|---|---|---|
| `eval/ccpd` end to end, 600 pictures | {percent(report['evalCcpd'])} | {percent(report['evalCcpdProvince'])} | {percent(report['evalCcpdGivenCorners'])} | {percent(report['evalCcpdLocated'])} |
| `eval/street` end to end, 186 pictures | {percent(report['evalStreet'])} | {percent(report['evalStreetProvince'])} | {percent(report['evalStreetGivenCorners'])} | {percent(report['evalStreetLocated'])} |
| `eval/crops` reader alone, 1,000 crops | {percent(report['evalCrops'])} | | | |

`eval/crops` has no corners: the plate is taken as the whole crop less 2.5 % at the sides and 6 % above and below, and
straightened once more by the corners the reader sees (read once only: {percent(report['evalCropsReadOnce'])}).

`eval/street` by class (class unknown where the labels do not tell):

| class | right |
|---|---|
{by_class}

Drawn plates end to end in 1280x720, by kind: {', '.join(f"{k} {100 * x:.0f} %" for k, x in report['drawn'].items())}.

Drawn plates of one and two rows in 1280x720, right of {next(iter(report['views']['yaw'].values()))[2]} each: {'; '.join(f"{k} " + ', '.join(f"{v} {'px' if k == 'width' else '°'} {n[1]}" for v, n in row.items()) for k, row in report['views'].items())}.

Held-out pictures without Chinese plates: {b['pictures']} pictures, {b['boxes']} boxes of the detector, {b['picturesWithAnyRead']} pictures with a
text in the form of a plate, {b['picturesWithConfidentRead']} with one at 0.9 or more.

Characters confused on all evaluation sets (right>read, times): {confused}. Provinces: {provinces}.

Right by province on the same sets: {rights(report['rightBy']['provinces'], 1000)}.
Other characters with a mistake: {rights(report['rightBy']['characters'], 1)}.

Held-out training pictures at the chosen checkpoints: reader {json.dumps(v['reader'])}, detector {json.dumps({k: round(x, 4) for k, x in v['detector'].items()})}.

## Confidence

Raw confidence is the product of the best probability of all slots. `calibration.points` maps it to the share of reads
that were right on held-out training pictures (as they are, spoiled by light, blur and corner error, and end to end), a
monotone fit of lower bounds, so that little data promises little. On the evaluation sets, which the fit has not seen:

| shown confidence | reads | mean shown | right |
|---|---|---|---|
{calibration}

## Data

Real photographs (CCPD scenes and patches, public plate crops, province characters, roads without plates) that are not part
of this repository, and pictures drawn by `scripts/train/laurel_train`. The reader's diet: {diet()}.
Validation is split off the training sets by plate text.

{ablation_tables(work)}{confusion_words(work)}{notes.read_text(encoding='utf8') if notes.exists() else ''}
## Training again

    scripts/train/run --data ../shared/data            # CPU; --device cuda where there is one
    scripts/train/run --steps "export evaluate card"   # after a change to nothing but export or measuring

Seed {t['seed']}, {t['date']}. Interrupted training resumes. Contact sheets of the mistakes lie in the work folder's `report/`.
"""
    (models / "README.md").write_text(text, encoding="utf8")
    print(f"wrote {models / 'README.md'}")


def rights(counts: dict, least_right_share_shown: float) -> str:
    """`皖 1580 of 1590, …`; characters that were always right are left out where the limit is 1."""
    shown = [(c, a, b) for c, (a, b) in counts.items() if a < b * least_right_share_shown]
    return ", ".join(f"{c} {a} of {b}" for c, a, b in sorted(shown, key=lambda v: -v[2])) or "none"


def ablation_tables(work: pathlib.Path) -> str:
    source = work / "ablation.json"
    if not source.exists():
        return ""
    done = json.loads(source.read_text(encoding="utf8"))
    names = list(next(iter(done["rows"].values())))
    head = "| without | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1) + "\n"
    rows = "".join(f"| {v or 'nothing: all ingredients'} | " + " | ".join(percent(f[n]) for n in names) + " |\n" for v, f in done["rows"].items())
    away = "".join(f"| {n + 1} | {f['crops']:,} | {percent(f['kept out'])} | {percent(done['known'][s])} |\n" for n, (s, f) in enumerate(done["collections"].items()))
    return f"""### What each ingredient brings

Short trainings from nothing, {done['images']:,} crops each, same seed, one thing left out; the share of characters right on
held-out pictures (real ones as they are; spoiled by weather, light and corner error; drawn plates on held-out ground). They
show an order of things, not what a long training reaches; differences of a percent or two are chance.

{head}{rows}
### Cameras never seen

The same short training with a whole collection of real crops kept out, and read afterwards, beside the training that had it:

| collection | crops | characters right when kept out | when known |
|---|---|---|---|
{away}
"""


def confusion_words(work: pathlib.Path) -> str:
    source = work / "report/confusion.json"
    if not source.exists():
        return ""
    c = json.loads(source.read_text(encoding="utf8"))
    nearest = ", ".join(f"{text[0]}/{text[1]} {cost:.2f}" for text, cost in c["pairs"][:24])
    return f"""### Look-alikes

Measured on {c['reads']:,} held-out reads ({percent(c['right'])} right), written to `src/plate/confusion-measured.ts`: {len(c['pairs'])} pairs. The
nearest: {nearest}.

"""


def diet() -> str:
    from .crops import MIX
    names = {"patch": "real patches", "painted": "real patches with characters and colours painted in", "painted-crop": "real crops painted likewise", "crop": "real crops",
             "drawn-in-patch": "drawn plates in real light", "drawn": "drawn plates", "nothing": "no plate"}
    total = sum(MIX.values())
    return ", ".join(f"{names[k]} {100 * v / total:.0f} %" for k, v in MIX.items())
