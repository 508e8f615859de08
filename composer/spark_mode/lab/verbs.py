"""The verbs in groups, and what each does in a line: all that `--help` needs to know of them."""

GROUPS = {
    "Switch": {
        "to": "Switch to a mode of the lab; each is a verb of its own, too",
        "up": "Add profiles or workloads to what runs",
        "stop": "Stop everything of the lab, or what is named",
        "run": "Run a plain command as a workload, and hold the machine for it",
        "restore": "Go back to the mode before",
        "recover": "Finish or undo a switch that was cut off",
        "hold": "Run a mode for a job of a queue, such as Slurm's, to its end",
        "release": "Let other switches stop what is held",
    },
    "Look": {
        "status": "Show what runs and the machine's memory",
        "plan": "Show what a switch would do, and change nothing",
        "budget": "Show the memory arithmetic of exactly the named set",
        "matrix": "Show which sets and modes may run together",
        "page": "Show the machine in a browser, and switch from there",
        "map": "Show the machine on one card: what runs, what could be added",
        "history": "Show what was switched, by whom, and how it ended",
        "check": "Look for mistakes in the lab, the engine and this machine",
        "version": "Show the versions of all that works together here",
        "help": "Explain a command, or any word of the output",
    },
    "Set up": {
        "init": "Write a first rules.yaml from Compose files",
        "calibrate": "Show what workloads really took, and the lines for rules.yaml",
        "rules": "Print the rules file with all that it leaves out",
        "lab": "Set or show the lab that is used from anywhere",
        "fleet": "Write down which machines `-H` asks, and queue jobs for them",
        "setup": "Put in place what an installation by pipx or uv cannot",
        "uninstall": "Take away what was put on this machine",
        "gate": "Have plain `docker compose up` ask the rules first",
        "guard": "Watch what others start, and hold the rules against it",
        "plugin": "Install spark-mode as a Docker command",
        "completion": "Print what bash, zsh or fish needs to complete this",
    },
}

VERBS = {name: line for group in GROUPS.values() for name, line in group.items()}

SWITCHES = ("to", "up", "stop", "run", "restore")
"""Those that change what runs, and can be planned, as each mode of the lab can."""

NO_MODES = ("idle", "custom", "unknown")
"""What `status` calls a lab in no mode of its own."""
