"""Write the sample sources from the hand-written comments in samples/bank.

The same bank and seed give the same bytes. Run it after editing the bank:

    python scripts/make_samples.py            # writes samples/
    python scripts/make_samples.py --into DIR # writes elsewhere, to compare
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sample_sources.bank import load_bank
from sample_sources.complaints import make_complaints
from sample_sources.friends_and_family import make_friends_and_family
from sample_sources.planting import Planting
from sample_sources.questionnaire import make_questionnaire

PROJECT = Path(__file__).resolve().parent.parent


def make_samples(bank_folder: Path, into: Path) -> None:
    """Write every sample file, and the lists of what was planted in them, below `into`."""
    bank = load_bank(bank_folder)
    planting = Planting()
    make_friends_and_family(bank, into, planting)
    make_questionnaire(bank, into, planting)
    make_complaints(bank, into, planting)
    planting.write(into / "planted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--into", type=Path, default=PROJECT / "samples")
    make_samples(PROJECT / "samples" / "bank", parser.parse_args().into)


if __name__ == "__main__":
    main()
