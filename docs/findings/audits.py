"""Audit the nets whose figures under attack the papers' claims rest on, each at the ε of those figures.

    python docs/findings/audits.py                    all of them
    python docs/findings/audits.py fdd fdd-l2         those of some studies; the other rows stay as they are
    python docs/findings/audits.py --seeds 0 1        of more seeds

The nets are those of `dropover reproduce` at laptop scale, trained once and kept beside their audits in
results/findings: a second call trains nothing, and audits anew only what was audited by other code. What came out is
audits.csv, from which tables.py fills the page.
"""

import argparse
import sys
import time
from pathlib import Path

import attacked
import papers
from attacked import Figure, Place
from torch import nn

from dropover import lab
from dropover.lab.auditing.outcome import Audit
from dropover.lab.data.parts.loading import balanced_prefix, load_data
from dropover.lab.examples import Examples, logits_on
from dropover.lab.measuring.robustness import attack_rows, norm_of
from dropover.lab.models.parts.placed_layers import inference_rate
from dropover.lab.process import settle
from dropover.lab.reproductions import REPRODUCTIONS
from dropover.lab.study import AttackSettings, Scale, Study
from dropover.lab.training.trained import net_path, trained_net

KEPT = Path(__file__).parents[2] / "results" / "findings"
SCALE: Scale = "laptop"


def main() -> None:
    """Audit what is asked for, and write the table anew after each figure."""
    places = wanted()
    studies = list(dict.fromkeys(place.study for place in places))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=", ".join(studies))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the trials [default: 0]")
    asked = parser.parse_args()
    if strange := [name for name in asked.studies if name not in studies]:
        parser.error(f"no claim rests on {strange[0]}: they rest on {', '.join(studies)}")
    for seed in asked.seeds:
        for place, study in places.items():
            if place.study in (asked.studies or studies):
                started = time.perf_counter()
                figure = audited(study, place, seed)
                keep(figure, list(places))
                print(f"{figure} in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def wanted() -> dict[Place, Study]:
    """Every figure that a claim rests on, and the study that it is of."""
    found: dict[Place, Study] = {}
    for claim in (each for of_paper in papers.claims().values() for each in of_paper):
        for place in attacked.places(claim):
            requests = {each.name: each for each in REPRODUCTIONS.get(claim["command"]).requests(SCALE)}
            found[place] = requests[place.study].study(SCALE)
    return found


def audited(study: Study, place: Place, seed: int) -> Figure:
    """The figure of one net as its attack gives it, and what the quick audit of the same images says of that."""
    data, arm = load_data(study.data), study.arm(place.arm)
    net, _ = trained_net(study, arm, seed, data, KEPT / "nets")
    examples = Examples(data.test_images, data.test_labels, study.evaluation.batch_size)
    attack = next(each for each in study.evaluation.attacks if each.label == place.attack)
    claimed = share_left(study, net, examples, attack, place, seed)
    if place.rate is None:
        found = audit(study, net, examples, attack, place, seed, claimed)
    else:
        with inference_rate(net, place.rate):
            found = audit(study, net, examples, attack, place, seed, claimed)
    unsound = tuple(check.name for check in found.checks if not check.passed)
    told = found.norm, len(found.index), claimed, found.accuracy, *found.interval, found.verdict, unsound
    return Figure(place, seed, *told)


def share_left(
    study: Study, net: nn.Module, examples: Examples, attack: AttackSettings, place: Place, seed: int
) -> float:
    """What the attack leaves of all attacked images, measured as a trial of the study measures it."""
    alone = {
        "attacks": [attack.model_copy(update={"eps": [place.eps]})],
        "inference_rates": [] if place.rate is None else [place.rate],
    }
    cut = study.model_copy(update={"evaluation": study.evaluation.model_copy(update=alone)})
    rows = attack_rows(cut, net, examples, logits_on(net, examples, seed), seed, lambda _done, _name: None)
    return next(
        row.value for row in rows if row.measure == attack.label and not row.of and row.inference_rate == place.rate
    )


def audit(
    study: Study,
    net: nn.Module,
    examples: Examples,
    attack: AttackSettings,
    place: Place,
    seed: int,
    claimed: float,
) -> Audit:
    """The quick audit of the images that the study attacks, at the attack's norm and the figure's ε."""
    count = study.evaluation.attack_images or len(examples.labels)
    images = examples.chosen(balanced_prefix(examples.labels, count))
    name = net_path(KEPT, study, study.arm(place.arm), seed).stem
    norm, rate = norm_of(attack), "" if place.rate is None else f" at {place.rate:g}"
    # Pixels: at laptop scale no study's attacks are in other units.
    return lab.audit(
        net,
        images.images,
        images.labels,
        eps=place.eps,
        norm=norm,
        claim=claimed,
        seed=seed,
        out=KEPT / f"{name} {norm} {place.eps:g}{rate}",
        title=f"{place.study}, {place.arm}{rate}, seed {seed}",
    )


def keep(figure: Figure, places: list[Place]) -> None:
    """Put a figure in its row of the table, which loses the rows that no claim rests on any more."""
    rows = {(each.place, each.seed): each for each in [*attacked.read(), figure]}
    order = sorted((at for at in rows if at[0] in places), key=lambda at: (places.index(at[0]), at[1]))
    attacked.write([rows[at] for at in order])


if __name__ == "__main__":
    settle()
    main()
