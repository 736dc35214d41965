"""The command line of the mutation test."""

from __future__ import annotations

from runbook.mutate.__main__ import main


def test_a_stack_that_is_not_there_is_a_mistake_in_a_sentence(capsys):
    assert main(["prodd"]) == 2
    assert "There is no stack 'prodd'" in capsys.readouterr().err
