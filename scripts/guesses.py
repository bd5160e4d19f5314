"""10,000 guesses at passwords: what a stranger learns from text and time, and who still gets in.

The house is in one process, and its pages are asked as a browser asks them. Half of the guesses are at a name that
is there, half at one that is not, each from an address of its own, so that it is the password and not the limit on
an address that answers. Then many addresses guess at one name; then its owner comes home.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from person import Person
from world import ACCOUNT, World

PASSWORD = "Correct-Horse-1"


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=10_000)
    count = options.parse_args().count
    world = World()
    iam = world.client("iam")
    iam.create_user(UserName="owner")
    iam.create_login_profile(UserName="owner", Password=PASSWORD)
    home = Person(world, source="192.0.2.1")
    enter(home, "owner", PASSWORD)
    home.get("/console").send("/signin/out")

    print(f"{count} guesses, each from an address of its own, the counters of names set back")
    seconds: dict[str, list[float]] = {"owner": [], "nobody": []}
    texts: dict[str, set[str]] = {"owner": set(), "nobody": set()}
    order = ["owner", "nobody"] * (count // 2)
    random.Random(1).shuffle(order)
    for number, name in enumerate(order):
        world.environment.attempts.succeeded(f"signin:user:{ACCOUNT}/{name}")
        person = Person(world, source=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        page = person.get("/signin")
        begun = time.process_time()  # of this process: what else the machine does disturbs it less
        answer = page.send("/signin", account=ACCOUNT, name=name, password=f"guess {number}")
        seconds[name].append(time.process_time() - begun)
        token = answer.form("/signin")["fields"]["form_token"]
        texts[name].add(f"{answer.status} {answer.text.replace(token, '').replace(name, '')}")
    for name, found in seconds.items():
        cut = statistics.quantiles(found, n=20)
        low, middle, high = (value * 1e3 for value in (cut[0], statistics.median(found), cut[-1]))
        print(f"  {name:7} median {middle:.2f} ms, 5% {low:.2f}, 95% {high:.2f}")
    print(f"  one text for all: {texts['owner'] == texts['nobody'] and len(texts['owner']) == 1}")

    print(f"{count // 10} guesses at one name, as they come")
    many = [Person(world, source=f"10.9.{number >> 8 & 255}.{number & 255}") for number in range(count // 10)]
    tried = [enter(person, "owner", f"guess {number}") for number, person in enumerate(many)]
    print(f"  looked at {tried.count(401)}, refused unseen {tried.count(429)}")
    print(f"  the owner from a browser of hers: {enter(home, 'owner', PASSWORD)}, from another: ", end="")
    print(enter(Person(world, source="192.0.2.2"), "owner", PASSWORD))


def enter(person: Person, name: str, password: str) -> int:
    return person.get("/signin").send("/signin", account=ACCOUNT, name=name, password=password).status


if __name__ == "__main__":
    main()
