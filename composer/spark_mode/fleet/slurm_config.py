"""Slurm's configuration, made from the rules: text, and nothing else; whoever wants it puts it in place.

Slurm only places and queues by it. Each machine keeps the rules itself, so what a count cannot say makes jobs wait, and nothing
more. For Slurm 23.11 to 24.11, which read the same lines.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from shlex import quote
from typing import NamedTuple

from spark_mode.frozen import Frozen
from spark_mode.planning.demand import ClassDemand, Demand, Demands

MIB = 1 << 20
EPILOG = "/etc/slurm/spark-mode-epilog"
KILL_MARGIN_SECONDS = 15
"""What a job has beyond the longest time that a service has for its end."""
EPILOG_MARGIN_SECONDS = 60
MOST_HOSTS = 1 << 16
"""More than Slurm has in one list."""
AGAIN = 75
"""How a job exits that found no place by the machine's own rule."""


class Site(Frozen):
    """What rules.yaml does not say: the machines, who controls them, their processors, and where the lab and the program are."""

    nodes: tuple[str, ...]
    controller: str
    cpus: int
    lab: str
    program: str
    cluster: str = "sparks"


class Setting(NamedTuple):
    """A line of slurm.conf, and why it is so."""

    key: str
    value: str
    why: str


def settings(needs: Demands, site: Site) -> tuple[Setting, ...]:
    """Return what slurm.conf says of the whole cluster."""
    kill = kill_wait(needs)
    pools = ",".join(names_of_pools(needs).values())
    return (
        Setting("ClusterName", site.cluster, ""),
        Setting("SlurmctldHost", site.controller, "Who places and queues; any machine may, the smallest will do."),
        Setting("SlurmUser", "slurm", "These three are as Debian's and Ubuntu's packages have them."),
        Setting("StateSaveLocation", "/var/lib/slurm/slurmctld", ""),
        Setting("SlurmdSpoolDir", "/var/lib/slurm/slurmd", ""),
        Setting("SelectType", "select/cons_tres", "Memory and pools are counted; what they are for each machine itself decides."),
        Setting("SelectTypeParameters", "CR_CPU_Memory", ""),
        Setting("GresTypes", pools, "A pool for each class and rule: counts, and no devices."),
        Setting("ProctrackType", "proctrack/linuxproc", "Below Slurm runs spark-mode alone; the containers are the engine's."),
        Setting("PreemptType", "preempt/partition_prio", "Who makes way is said by the priorities in rules.yaml."),
        Setting("PreemptMode", "REQUEUE", "What made way is queued again; Slurm begins it after two minutes at the earliest."),
        Setting(
            "KillWait",
            str(kill),
            "From SIGTERM to SIGKILL: the longest stop_grace_period of the lab, for the checkpoint, and 15 s. A partition's\n"
            "GraceTime is not that: its signal goes to srun's steps and not to the script of a job.",
        ),
        Setting("JobRequeue", "1", ""),
        Setting(
            "SchedulerParameters",
            "batch_sched_delay=0,sched_interval=5,bf_interval=1",
            "On a few machines Slurm can look whenever a job comes, and every five seconds: what has room begins within two.\n"
            "Ubuntu's 23.11.4 needs the last of them: with no accounting only its backfill begins jobs, every 30 s otherwise.",
        ),
        Setting(
            "RequeueExit",
            str(AGAIN),
            "A job that finds no place by the machine's own rule exits so, having touched nothing, and is queued again.",
        ),
        Setting(
            "Epilog",
            EPILOG,
            "Ends what a job holds and stops what it left running, wherever it was killed. A machine on which it fails is\n"
            "drained: nothing begins there until somebody has looked.",
        ),
        Setting("PrologEpilogTimeout", str(kill + EPILOG_MARGIN_SECONDS), "The epilog waits for what is being stopped."),
        Setting(
            "ReturnToService",
            "0",
            "A machine that was down comes back only by `spark-mode fleet resume NODE`, which sees first what runs there.",
        ),
    )


def kill_wait(needs: Demands) -> int:
    """Return the seconds that a job has for its end."""
    return ceil(max((one.grace_seconds for one in needs.modes), default=10.0)) + KILL_MARGIN_SECONDS


def node_values(needs: Demands, site: Site) -> dict[str, str]:
    """Return what slurm.conf says of every machine."""
    counts = {one.name: one.count for one in needs.pools}
    gres = ",".join(f"{name}:{counts[pool]}" for pool, name in names_of_pools(needs).items())
    return {"CPUs": str(site.cpus), "RealMemory": str(needs.memory // MIB), "Gres": gres}


def partition_values(needs: Demands, site: Site) -> dict[str, dict[str, str]]:
    """Return what slurm.conf says of each partition, one for each class."""
    tiers = sorted({one.priority for one in needs.classes})
    return {
        partition_of(one.name): {
            "Nodes": ",".join(site.nodes),
            "PriorityTier": str(tiers.index(one.priority) + 1),
            "PreemptMode": "OFF" if one.spared else "REQUEUE",
            "GraceTime": "0",
            "MaxTime": "UNLIMITED",
        }
        for one in needs.classes
    }


def slurm_conf(needs: Demands, site: Site) -> str:
    """Return slurm.conf, each line with its reason."""
    lines = [
        "# slurm.conf, made from rules.yaml by `spark-mode fleet config slurm`. Slurm places and queues; each machine keeps the",
        "# rules itself, whatever Slurm thinks. The same file goes to every machine. AuthType is munge where nothing is said.",
        "",
    ]
    for one in settings(needs, site):
        lines += [*(f"# {line}" for line in one.why.splitlines()), f"{one.key}={one.value}"]
    lines += [
        "",
        "# RealMemory is what rules.yaml leaves for modes: neither the headroom nor the system's own share, and never more than",
        "# limits/tight. A machine with less than that is drained by Slurm.",
        f"NodeName={','.join(site.nodes)} {_pairs(node_values(needs, site))}",
        "",
    ]
    for known, (name, values) in zip(needs.classes, partition_values(needs, site).items(), strict=True):
        lines += [f"# {_of_partition(known, needs)}", f"PartitionName={name} {_pairs(values)}"]
    lines += [f"# {mode} is in no partition: {why.splitlines()[0]}" for mode, why in needs.left_out.items()]
    return "\n".join([*lines, ""])


def gres_conf(needs: Demands) -> str:
    """Return gres.conf."""
    lines = ["# gres.conf, made from rules.yaml by `spark-mode fleet config slurm`: counts, and no devices.", ""]
    names = names_of_pools(needs)
    for one in needs.pools:
        takers = [f"{mode.mode} {mode.pools[one.name]}" for mode in needs.modes if one.name in mode.pools]
        lines += [f"# {one.because}; it takes: {', '.join(takers)}", f"Name={names[one.name]} Count={one.count} Flags=CountOnly"]
    return "\n".join([*lines, ""])


def epilog(site: Site) -> str:
    """Return the epilog. Slurm gives it no search path."""
    return f"""#!/bin/sh
# {EPILOG}, made by `spark-mode fleet config slurm`; owned by root, mode 755.
# Of a job that its controller has lost Slurm does not say the start: then that is ended which nobody follows any more.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec {quote(site.program)} -C {quote(site.lab)} release --job "$SLURM_JOB_ID${{SLURM_JOB_START_TIME:+:$SLURM_JOB_START_TIME}}"
"""


def files(needs: Demands, site: Site) -> dict[str, str]:
    """Return all files by where they belong."""
    return {
        "/etc/slurm/slurm.conf": slurm_conf(needs, site),
        "/etc/slurm/gres.conf": gres_conf(needs),
        EPILOG: epilog(site),
    }


def partition_of(class_: str) -> str:
    """Return the partition of a class."""
    return _word(class_)


def names_of_pools(needs: Demands) -> dict[str, str]:
    """Return Slurm's name of each pool, each once."""
    found: dict[str, str] = {}
    for one in needs.pools:
        name = _word(one.name)
        found[one.name] = name if name not in found.values() else f"{name}_{len(found)}"
    return found


def asked(demand: Demand, needs: Demands) -> tuple[str, ...]:
    """Return what sbatch is asked for a mode."""
    names = names_of_pools(needs)
    gres = ",".join(f"{names[pool]}:{count}" for pool, count in demand.pools.items())
    return (f"--partition={partition_of(demand.class_)}", f"--gres={gres}", f"--mem={ceil(demand.memory / MIB)}M")


def differences(needs: Demands, site: Site, config: str, nodes: str, partitions: str) -> list[str]:
    """Return where a running Slurm is not as it would be made now, by `scontrol show config`, `node -o` and `partition -o`."""
    running = {key.split("[")[0]: value for key, value in _lines(config)}
    wanted = [one for one in settings(needs, site) if one.key not in ("ClusterName", "SlurmctldHost")]
    found = [*_apart("slurm.conf", {one.key: one.value for one in wanted}, running)]
    for kind, key, text, expected in (
        ("node", "NodeName", nodes, dict.fromkeys(site.nodes, node_values(needs, site))),
        ("partition", "PartitionName", partitions, partition_values(needs, site)),
    ):
        there = {one[key]: one for one in map(_values, text.splitlines()) if key in one}
        for name, values in expected.items():
            if name not in there:
                found.append(f"there is no {kind} {name}")
            else:
                known = {**there[name], **({"CPUs": there[name].get("CPUTot", "")} if kind == "node" else {})}
                known |= {"Nodes": values["Nodes"]} if kind == "partition" else {}  # Slurm writes them as ranges
                found += _apart(f"{kind} {name}", values, known)
    return found


def _apart(where: str, wanted: Mapping[str, str], there: Mapping[str, str]) -> Iterator[str]:
    for key, value in wanted.items():
        is_there = re.sub(r" sec$|\(\d+\)$", "", there.get(key, ""))  # 60 sec, slurm(64030)
        if _sorted(is_there) != _sorted(value):
            yield f"{where}: {key} is {is_there or 'not set'}, and would be {value}"


def _sorted(value: str) -> list[str]:
    return sorted(value.lower().split(","))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            yield key.strip(), value.strip()


def _values(line: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def _of_partition(one: ClassDemand, needs: Demands) -> str:
    """Return in words who makes way for whom."""
    goes_first = [other.name for other in needs.classes if other.priority < one.priority and not other.spared]
    spared = "never has to make way, as the guard spares it" if one.spared else ""
    makes = f"what of {', '.join(goes_first)} is in its way makes way" if goes_first else ""
    return f"{one.name}: {'; '.join(filter(None, (f'priority {one.priority}', makes, spared)))}"


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "pool"


def _pairs(values: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())


def hosts_of(text: str) -> Sequence[str]:
    """Return the machines of one of Slurm's lists, such as `spark[1-3,7],other`."""
    found: list[str] = []
    for part in re.findall(r"[^,\[\]]+(?:\[[^\]]*\][^,\[\]]*)?", text):
        head, bracket, rest = part.partition("[")
        if not bracket:
            found.append(part)
            continue
        ranges, _, tail = rest.partition("]")
        for one in ranges.split(","):
            said = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", one, re.ASCII)
            numbers = range(int(said[1]), int(said[2] or said[1]) + 1) if said else range(0)
            if not said or len(numbers) > MOST_HOSTS:
                found.append(f"{head}[{one}]{tail}")  # whatever that is
                continue
            found += [f"{head}{number:0{len(said[1])}d}{tail}" for number in numbers]
    return found
