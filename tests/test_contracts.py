"""What must not change without an alias or a migration."""

import importlib
import inspect
import pkgutil

import pytest

import components
from components._base import Component
from settings.naming import Labels

#: class -> type token. A token is part of every child's URN: changing it replaces all of them.
TOKENS = {
    "Alerting": "learning-platform:prometheus:Alerting",
    "AuditTrail": "learning-platform:audit-trail:AuditTrail",
    "Escalation": "learning-platform:escalation:Escalation",
    "Grafana": "learning-platform:prometheus:Grafana",
    "Monitoring": "learning-platform:monitoring:Monitoring",
    "Prometheus": "learning-platform:prometheus:Prometheus",
    "Alerts": "learning-platform:alerts:Alerts",
    "ChangeCalendar": "learning-platform:changes:ChangeCalendar",
    "CostGuards": "learning-platform:costs:CostGuards",
    "Mutes": "learning-platform:schedule:Mutes",
    "Schedule": "learning-platform:schedule:Schedule",
    "Maintenance": "learning-platform:maintenance:Maintenance",
    "Archive": "learning-platform:archive:Archive",
    "Backup": "learning-platform:backup:Backup",
    "Patching": "learning-platform:patching:Patching",
    "Bastion": "learning-platform:bastion:Bastion",
    "Database": "learning-platform:database:Database",
    "Encryption": "learning-platform:encryption:Encryption",
    "Inventory": "learning-platform:inventory:Inventory",
    "LogQueries": "learning-platform:log-queries:LogQueries",
    "Network": "learning-platform:network:Network",
    "WebTier": "learning-platform:web:WebTier",
}


def classes():
    modules = [
        importlib.import_module(module.name) for module in pkgutil.walk_packages(components.__path__, "components.")
    ]
    named = [(name, value) for module in modules for name, value in vars(module).items() if inspect.isclass(value)]
    return {name: value for name, value in named if issubclass(value, Component) and value is not Component}


CLASSES = classes()


def test_type_tokens_are_what_they_were():
    assert {name: cls.TYPE for name, cls in CLASSES.items()} == TOKENS


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES.keys())
def test_a_component_takes_a_name_arguments_labels_and_options(cls):
    parameters = inspect.signature(cls.__init__).parameters
    assert list(parameters) == ["self", "name", "args", "labels", "opts"]
    assert {key for key, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {"labels", "opts"}


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES.keys())
def test_a_component_s_labels_are_tags_that_aws_takes(cls):
    labels = Labels(project="p", environment="dev", owner="o", cost_center="c")
    tags = labels.tags(service=cls.SERVICE, runbook=cls.RUNBOOK)
    assert tags["RunbookRef"].split()[0].endswith(".txt")


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES.keys())
def test_arguments_are_frozen_and_keyword_only(cls):
    args = inspect.get_annotations(cls.__init__, eval_str=True)["args"]
    assert args.__dataclass_params__.frozen
    assert all(field.kw_only for field in args.__dataclass_fields__.values())
