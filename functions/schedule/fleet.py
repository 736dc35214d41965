"""What there is in a region, and how it is stopped and started: in batches, paced, and one bad one harms no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from functions.common.backoff import code, may_pass

from .decide import Kind, Resource, Sizes, wanted_sizes
from .env import PERIOD_TAG

#: Instances named in one call: a bad one costs few calls more.
BATCH = 50

#: Instances at once, and a second after that, by EC2's resource limits ("Request throttling for the Amazon EC2 API").
_PACES: Mapping[str, tuple[int, float]] = {"start": (1000, 2.0), "stop": (1000, 20.0)}

#: Not there any more.
_GONE = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault", "InvalidInstanceID.NotFound"})

#: Its state has changed since it was looked at: the next sweep looks again.
_CHANGED = frozenset({"IncorrectInstanceState", "InvalidDBInstanceState", "ScalingActivityInProgress"})

_LIVING = ["pending", "running", "stopping", "stopped"]

#: Auto Scaling marks its instances so. They are the group's: it would replace what somebody else stops.
_GROUP_TAG = "aws:autoscaling:groupName"

Way = Literal["start", "stop"]


@dataclass(slots=True)
class Outcome:
    """What became of resources: ids of ``done``, ``waiting`` and those of ``left`` for want of time; faults by id."""

    done: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class Clock:
    """The time that a run has. ``remaining``: seconds until Lambda ends it, of which ``reserve`` are kept."""

    def __init__(self, remaining: Callable[[], float], reserve: float, sleep: Callable[[float], None]) -> None:
        self._remaining, self._reserve, self._sleep = remaining, reserve, sleep

    def has(self, seconds: float = 0.0) -> bool:
        return self._remaining() - seconds > self._reserve

    def wait(self, seconds: float) -> bool:
        """Waits; False, at once, where there is no time for it."""
        if not self.has(seconds):
            return False
        if seconds > 0:
            self._sleep(seconds)
        return True

    def now(self) -> float:
        return -self._remaining()


class Pace:
    """A token bucket: ``burst`` at once, then ``rate`` a second."""

    def __init__(self, burst: int, rate: float, clock: Clock) -> None:
        self._burst, self._rate, self._clock = burst, rate, clock
        self._tokens, self._at = float(burst), clock.now()

    def take(self, count: int) -> bool:
        """Waits for ``count`` tokens; False where there is no time for that."""
        now = self._clock.now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if not self._clock.wait(max(0.0, (count - self._tokens) / self._rate)):
            return False
        self._tokens -= count
        return True


class Fleet:
    """One region. ``clients``: service -> boto3 client. ``owned``: the tags of what is the stack's."""

    def __init__(self, region: str, clients: Callable[[str], Any], owned: Mapping[str, str], clock: Clock) -> None:
        self._region, self._clients, self._owned, self._clock = region, clients, owned, clock
        self._paces = {way: Pace(*limits, clock) for way, limits in _PACES.items()}

    def see(self, kind: Kind) -> list[Resource]:
        """All of the stack's that follow a period. Raises what AWS raises."""
        looks: Mapping[Kind, Callable[[], Iterator[Resource]]] = {
            "database": self._databases,
            "instance": self._instances,
            "group": self._groups,
        }
        return list(looks[kind]())

    def move(self, way: Way, resources: Sequence[Resource]) -> Outcome:
        """Stops or starts resources of one kind. Raises nothing of AWS: it is in the outcome."""
        outcome = Outcome()
        if not resources:
            return outcome
        if resources[0].kind == "instance":
            for first in range(0, len(resources), BATCH):
                ids = [one.id for one in resources[first : first + BATCH]]
                if self._paces[way].take(len(ids)):
                    self._move_instances(way, ids, outcome)
                else:
                    outcome.left += ids
            return outcome
        move = self._move_database if resources[0].kind == "database" else self._move_group
        for one in resources:
            if not self._clock.has():
                outcome.left.append(one.id)
                continue
            try:
                move(way, one)
            except Exception as error:  # noqa: BLE001 - the others are done all the same
                self._note(one.id, error, outcome)
            else:
                outcome.done.append(one.id)
        return outcome

    # What there is

    def _filters(self) -> list[dict[str, Any]]:
        owned = [{"Name": f"tag:{key}", "Values": [value]} for key, value in sorted(self._owned.items())]
        return [*owned, {"Name": "tag-key", "Values": [PERIOD_TAG]}]

    def _is_owned(self, tags: Mapping[str, str]) -> bool:
        return PERIOD_TAG in tags and all(tags.get(key) == value for key, value in self._owned.items())

    def _instances(self) -> Iterator[Resource]:
        pages = self._clients("ec2").get_paginator("describe_instances")
        filters = [*self._filters(), {"Name": "instance-state-name", "Values": _LIVING}]
        for page in pages.paginate(Filters=filters, PaginationConfig={"PageSize": 1000}):
            for instance in (one for reservation in page["Reservations"] for one in reservation["Instances"]):
                tags = _tags(instance.get("Tags", ()))
                if _GROUP_TAG not in tags:
                    yield Resource(
                        kind="instance",
                        id=instance["InstanceId"],
                        region=self._region,
                        state=instance["State"]["Name"],
                        tags=tags,
                        obstacle="its root is an instance store, which stopping would lose"
                        if instance.get("RootDeviceType") == "instance-store"
                        else "",
                    )

    def _databases(self) -> Iterator[Resource]:
        # RDS has no filter by tag.
        for page in self._clients("rds").get_paginator("describe_db_instances").paginate():
            for database in page["DBInstances"]:
                tags = _tags(database.get("TagList", ()))
                if self._is_owned(tags):
                    yield Resource(
                        kind="database",
                        id=database["DBInstanceIdentifier"],
                        region=self._region,
                        state=database["DBInstanceStatus"],
                        tags=tags,
                        obstacle=_obstacle(database),
                    )

    def _groups(self) -> Iterator[Resource]:
        pages = self._clients("autoscaling").get_paginator("describe_auto_scaling_groups")
        for page in pages.paginate(Filters=self._filters()):
            for group in page["AutoScalingGroups"]:
                tags = _tags(group.get("Tags", ()))
                if self._is_owned(tags):
                    filled = "filled" if group.get("Instances") or group["DesiredCapacity"] else "empty"
                    yield Resource(
                        kind="group",
                        id=group["AutoScalingGroupName"],
                        region=self._region,
                        # The status is there only while the group is being deleted.
                        state="deleting" if group.get("Status") else filled,
                        tags=tags,
                        sizes=Sizes(group["MinSize"], group["MaxSize"]),
                    )

    # What is done

    def _move_instances(self, way: Way, ids: list[str], outcome: Outcome) -> None:
        """One call, which fails as a whole where one instance is bad: then halves of it, down to that one."""
        if not self._clock.has():
            outcome.left += ids
            return
        ec2 = self._clients("ec2")
        call = ec2.start_instances if way == "start" else ec2.stop_instances
        try:
            call(InstanceIds=ids)
        except Exception as error:  # noqa: BLE001 - the others are done all the same
            if len(ids) > 1 and code(error) and not may_pass(error):
                middle = len(ids) // 2
                self._move_instances(way, ids[:middle], outcome)
                self._move_instances(way, ids[middle:], outcome)
                return
            # One that is bad; or the line is down or EC2 busy, where smaller batches would not help.
            for one in ids:
                self._note(one, error, outcome)
        else:
            outcome.done += ids

    def _move_database(self, way: Way, database: Resource) -> None:
        rds = self._clients("rds")
        call = rds.start_db_instance if way == "start" else rds.stop_db_instance
        call(DBInstanceIdentifier=database.id)

    def _move_group(self, way: Way, group: Resource) -> None:
        sizes = (wanted_sizes(group) if way == "start" else None) or Sizes(0, 0)
        # A group that runs keeps how many it has, as far as its new bounds allow.
        desired = {} if group.sizes and group.sizes.most and sizes.most else {"DesiredCapacity": sizes.least}
        self._clients("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=group.id, MinSize=sizes.least, MaxSize=sizes.most, **desired
        )

    @staticmethod
    def _note(identifier: str, error: Exception, outcome: Outcome) -> None:
        found = code(error)
        if found in _GONE:
            outcome.done.append(identifier)
        elif found in _CHANGED:
            outcome.waiting.append(identifier)
        else:
            outcome.failed[identifier] = found or type(error).__name__


def _tags(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in found}


def _obstacle(database: Mapping[str, Any]) -> str:
    """Why RDS would refuse to stop the instance ("Stopping an Amazon RDS DB instance", limitations)."""
    if database.get("DBClusterIdentifier"):
        return "it belongs to a cluster, which is stopped as a whole"
    if database.get("ReadReplicaSourceDBInstanceIdentifier"):
        return "it is a read replica, which RDS does not stop"
    if database.get("ReadReplicaDBInstanceIdentifiers"):
        return "it has read replicas, and RDS does not stop their source"
    return ""
