"""The one place where a name is looked at, and only to say something: files from before long runs were said to be some."""

from spark_mode.lab.rules import Rules

UNSAID = 'the class "training" does not say that it runs to its end, so it is stopped without a question, for memory as well'
SAY_IT = "in rules.yaml: classes: training: {runs_to_end: true}"


def unsaid_long_run(rules: Rules) -> bool:
    """Whether workloads of a class called training are none that run to their end, and say nothing of it themselves.

    A plain command, or what is only known outside, is nobody's to stop, however long it runs.
    """
    kind = rules.classes.get("training")
    if kind is None or kind.runs_to_end:
        return False
    stoppable = (one for one in rules.workloads.values() if not one.only_outside)
    return any(one.class_ == "training" and one.runs_to_end is None for one in stoppable)
