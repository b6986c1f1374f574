"""The report of kill-matrix: STATE/results as matrix.json for programs and matrix.md for people."""

import glob
import json
import os

import matrix

INTRO = """# The kill matrix

Which test sees which wrong kernel. Written by `jobs/controls/kill-matrix` from runs through the farm on cohort-emu, so *emulated*: emu-vivt is an ARM926EJ-S with
16 KiB 4-way caches, emu-vivt-wa the same allocating lines on writes, emu-vipt an ARM1176 with 64 KiB aliasing ones, emu-off an ARM926EJ-S without caches. Tests of many cells run one round of them, others as many as they have by themselves.
What is expected is in jobs/controls/controls.json, and what the words mean in jobs/controls/README.md. A place counts as failing when it fails here and not on the stock kernel of the
same board; gaps count too. To make it again: `jobs/controls/kill-matrix --out docs/KILL-MATRIX.md`; what has been measured is kept and not run again.
"""


def load(state):
    """Every observation in STATE/results with the stock kernel's as `stock`; those without one are left out."""
    found = {}
    for path in glob.glob(os.path.join(state, "results/*/*.json")):
        with open(path, encoding="utf-8") as file:
            observation = json.load(file)
        found[(observation["board"], observation["kernel"], observation["variant"])] = observation
    for (board, kernel, _), observation in found.items():
        observation["stock"] = found.get((board, kernel, "stock"))
    return [observation for observation in found.values() if observation["stock"]]


def shared(observation):
    """The observation and the stock kernel's, cut to the tests that both have."""
    stock = observation["stock"]
    common = observation["tests"].keys() & stock["tests"].keys()
    return tuple(dict(one, tests={name: one["tests"][name] for name in common}) for one in (stock, observation))


def judged(observations, controls):
    """[(control, observation, judgement)] in the controls' order."""
    rows = []
    for control in controls:
        for observation in sorted((o for o in observations if o["variant"] == control["name"]), key=lambda o: o["board"]):
            stock, observed = shared(observation)
            rows.append((control, observation, matrix.judge(control["expected"].get(observation["cache"]), stock, observed)))
    return rows


def cells_of(observation):
    """What failed, as text: TEST, and its cells when not all of them failed."""
    by_test = {}
    for name, cell in matrix.failing(observation):
        by_test.setdefault(name, []).append(cell)
    parts = []
    for name, cells in sorted(by_test.items()):
        ran = [cell for test, cell in matrix.places(observation, name) if cell is not None]
        parts.append(f"{name} ({len(cells)} of {len(ran)} cells)" if None not in cells else name)
    return parts


def summary(control, observation, said):
    """One line of the table of a board."""
    expected = control["expected"].get(observation["cache"]) or {"kills": [], "passes": [], "evidence": "-"}
    wanted = ", ".join(expected["kills"] + [f"cures {pattern}" for pattern in expected.get("fixes", [])]) or "survives"
    seen = ", ".join(said["seen"] + [f"cures {pattern}" for pattern in said["cured"]])
    lacking = [f"not seen: {', '.join(said['not_seen'] + said['not_cured'])}"] if said["not_seen"] + said["not_cured"] else []
    lacking += [f"not run: {', '.join(said['not_run'])}"] if said["not_run"] else []
    lacking += [f"**fails but must pass: {', '.join(said['must_pass'])}**"] if said["must_pass"] else []
    lacking += [f"died: {', '.join(said['died'])}"] if said["died"] else []
    lacking += [observation["fault"]] if observation["fault"] else []
    note = "; ".join(filter(None, (expected.get("survives"), expected.get("note"))))
    columns = (f"{control['id']} `{control['name']}`", f"{wanted} [{expected['evidence']}]", f"**{said['verdict']}**", seen or "nothing",
               ", ".join(said["also"]), "; ".join(lacking), note)
    return "| " + " | ".join(column.replace("*", "\\*") if "**" not in column else column for column in columns) + " |"


def board_part(board, rows, observations, controls, tests):
    """The section of a board."""
    mine = [row for row in rows if row[1]["board"] == board]
    stocks = [o for o in observations if o["board"] == board and o["variant"] == "stock"]
    ran_here = [o for o in observations if o["board"] == board]
    programs = {entry["program"] for o in ran_here for entry in o["tests"].values()}
    lines = [f"## {board}", "", f"{len(ran_here)} kernels, {sum(o['seconds'] for o in ran_here) / 60:.0f} minutes, booting and transfer included; "
             f"{len(programs)} version(s) of the suite.", ""]
    for stock in sorted(stocks, key=lambda o: o["kernel"]):
        ran = sum(any(r["verdict"] == "pass" or r["verdict"] in matrix.BROKEN for r in e["results"]) for e in stock["tests"].values())
        lines.append(f"Stock {stock['release']}: {len(stock['tests'])} tests, {ran} with a verdict; failing: {'; '.join(cells_of(stock)) or 'none'}.")
    if not mine:
        return lines + [""]
    count = {}
    for _, _, said in mine:
        count[said["verdict"]] = count.get(said["verdict"], 0) + 1
    lines += ["", "Of " + str(len(mine)) + ": " + ", ".join(f"{number} {word}" for word, number in sorted(count.items())) + ".", "",
              "| control | expected | | seen | also | differs | why |", "|---|---|---|---|---|---|---|"]
    lines += [summary(*row) for row in mine]
    shown = {"stock": next((dict(o, stock=o) for o in stocks if "+" not in o["kernel"]), None)}
    shown |= {control["name"]: observation for control, observation, _ in mine}
    text = matrix.grid(board, {name: one for name, one in shown.items() if one}, controls, tests)
    return lines + ["", "```", *text, "```", ""]


def markdown(observations, controls, tests):
    rows = judged(observations, controls)
    lines = [INTRO,
             "In the grids: " + " · ".join(f"`{mark}` {meaning}" for mark, meaning in matrix.LEGEND) + ".", ""]
    for board in sorted({o["board"] for o in observations}):
        lines += board_part(board, rows, observations, controls, list(tests))
    return "\n".join(lines).rstrip("\n") + "\n"


def sections(text):
    """What is before the first board, and {board: its section}."""
    head, *parts = text.rstrip("\n").split("\n## ")
    return head, {part.partition("\n")[0]: part.rstrip("\n") for part in parts}


def publish(state, path):
    """matrix.md of STATE as the file at path, in which boards that STATE knows nothing of keep their sections."""
    with open(os.path.join(state, "matrix.md"), encoding="utf-8") as file:
        head, boards = sections(file.read())
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            boards = sections(file.read())[1] | boards
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n## ".join([head.rstrip("\n"), *(boards[name] for name in sorted(boards))]) + "\n")


def write(state, observations, controls, tests):
    """matrix.json and matrix.md in STATE."""
    rows = [{"id": control["id"], "name": control["name"], "board": observation["board"], "cache": observation["cache"],
             "kernel": observation["kernel"], "build_id": observation["build_id"], "seconds": observation["seconds"],
             "fault": observation["fault"], "expected": control["expected"].get(observation["cache"]), **said}
            for control, observation, said in judged(observations, controls)]
    stock = [{"board": o["board"], "kernel": o["kernel"], "build_id": o["build_id"],
              "failing": [list(place) for place in sorted(matrix.failing(o), key=str)]} for o in observations if o["variant"] == "stock"]
    with open(os.path.join(state, "matrix.json"), "w", encoding="utf-8") as file:
        json.dump({"stock": stock, "controls": rows}, file, indent=1)
        file.write("\n")
    with open(os.path.join(state, "matrix.md"), "w", encoding="utf-8") as file:
        file.write(markdown(observations, controls, tests))
