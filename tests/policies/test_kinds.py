"""Every kind of resource has a rule."""

from policies.rulebook import RULES, kinds
from policies.rulebook.storage import BUCKETS
from tests.policies.bags import faults, resource

(KINDS,) = (rule for rule in RULES if rule.id == "gov-kinds-judged")


def test_a_kind_that_some_rule_speaks_of_passes_whatever_it_says():
    assert faults(KINDS, resource(BUCKETS[0], "it")) == []


def test_a_kind_that_no_rule_knows_is_named():
    for token in ("aws:sagemaker/notebookInstance:NotebookInstance", "random:index/randomPassword:RandomPassword"):
        assert faults(KINDS, resource(token, "it")) == [
            f"No rule judges resources of type {token}: what is wrong with one stays unseen."
        ]


def test_the_program_s_components_and_pulumi_s_own_are_left_to_what_is_in_them():
    for token in ("learning-platform:web:WebTier", "pulumi:pulumi:Stack", "pulumi:providers:aws"):
        assert faults(KINDS, resource(token, "it")) == []


def test_what_is_excused_says_why_and_is_in_fact_judged_by_no_rule():
    spoken_of = set().union(*(rule.types for rule in RULES))
    assert set(kinds.UNJUDGED) & spoken_of == set()
    assert all(reason.endswith(".") for reason in kinds.UNJUDGED.values())
