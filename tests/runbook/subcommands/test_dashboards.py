"""``runbook dashboards publish`` as a person types it."""

import json

import pytest

from runbook.errors import UserError
from runbook.operations import dashboards as operation
from tests.runbook.operations.test_dashboards import UIDS, WHERE, AppConfig, Grafana

from .sitting import note, policy, typed

ENTRY = {
    "workspaceId": WHERE.id,
    "address": WHERE.address,
    "serviceAccountId": WHERE.service_account_id,
    "dashboardsApplication": WHERE.application,
    "dashboardsProfile": WHERE.profile,
}


@pytest.fixture
def grafana(sitting):
    service = Grafana()
    sitting.update(appconfig=[AppConfig()], grafana=[service])
    note(grafana=ENTRY)
    return service


@pytest.fixture
def brought(monkeypatch):
    """What Grafana was asked to take, in place of its API."""
    taken = []

    def bring_in(_self, item):
        taken.append(item.uid)
        return "unchanged" if item.uid == "cloudwatch" else "created"

    monkeypatch.setattr(operation.Api, "bring_in", bring_in)
    return taken


def test_without_apply_there_is_no_token_and_nothing_is_brought_in(grafana, brought):
    code, printed = typed("dashboards", "publish", "-e", "staging")
    assert code == 0
    assert printed.splitlines() == [
        f"Grafana of staging (https://{WHERE.address}): version 12 of the dashboards",
        "  data source Prometheus (prometheus)",
        "  data source CloudWatch (cloudwatch)",
        "  dashboard Platform, staging (platform-staging)",
        "3 items would be compared and brought in. Nothing was changed; --apply does it.",
    ]
    assert (grafana.made, brought) == ([], [])


def test_with_apply_everything_is_brought_in_and_told(grafana, brought):
    code, printed = typed("dashboards", "publish", "-e", "staging", "--apply")
    assert (code, brought, grafana.tokens) == (0, UIDS, [])
    assert printed.splitlines()[2:] == [
        "  data source CloudWatch (cloudwatch): unchanged",
        "  dashboard Platform, staging (platform-staging): created",
        "2 changes made.",
    ]


@pytest.mark.parametrize("words", [(), ("--apply",)])
@pytest.mark.usefixtures("grafana", "brought")
def test_a_machine_gets_one_document(words):
    _, printed = typed("dashboards", "publish", "-e", "staging", "--json", *words)
    found = json.loads(printed)
    assert found["applied"] is bool(words)
    assert [one["outcome"] for one in found["items"]] == (["created", "unchanged", "created"] if words else [None] * 3)


@pytest.mark.usefixtures("sitting")
def test_a_stack_without_grafana_is_told():
    with pytest.raises(UserError, match="staging has no inventory of grafana"):
        typed("dashboards", "publish", "-e", "staging")


@pytest.mark.usefixtures("sitting")
def test_the_policy_is_printed():
    assert set(policy("dashboards", "publish", "-e", "staging")) == {
        "ReadDashboards",
        "ReadInventory",
        "UseKey",
        "UseTokens",
    }
