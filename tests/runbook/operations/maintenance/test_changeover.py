"""On and off: killed anywhere and started again it is whole, nothing is done twice, and a failure is taken back."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from runbook.errors import UserError
from runbook.operations.procedure import Done, Todo, run, survey
from runbook.operations.restore.moments import stamp
from tests.runbook.operations.fakes.backup_jobs import Trouble

from .world import ACCOUNT, REGION, START, TOPIC, UNTIL, WHO, World

LATER = UNTIL + timedelta(hours=2)
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Call")
SITE_ALARMS = ["balancer-error-rate", "balancer-rejected", "group-cpu", "service-down"]


class TestOn:
    def test_every_mode_leads_to_the_page_with_its_end_scheduled_and_alarms_mute(self, every, folder):
        every.on(folder)
        assert every.position() == "page"
        assert every.schedules() == ["at(2026-11-22T11:00:00)"]
        assert every.muted() == (SITE_ALARMS if every.mode == "listener-rule" else ["server-status"])
        assert every.shown == stamp(UNTIL)
        assert every.notices() == ["[staging] Maintenance until 2026-11-22 06:00 EST (11:00 UTC)"]
        assert every.troubles() == ()

    def test_what_ends_it_starts_the_document_once_and_buries_what_it_cannot_start(self, world, folder):
        world.on(folder)
        found = world.clients["scheduler"].get_schedule(GroupName="staging", Name="maintenance-off")
        assert found["ScheduleExpressionTimezone"] == "UTC"
        assert (found["FlexibleTimeWindow"], found["ActionAfterCompletion"]) == ({"Mode": "OFF"}, "DELETE")
        assert {key: found["Target"][key] for key in ("Arn", "RoleArn", "DeadLetterConfig")} == {
            "Arn": "arn:aws:scheduler:::aws-sdk:ssm:startAutomationExecution",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/maintenance-scheduler-1",
            "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"},
        }
        assert json.loads(found["Target"]["Input"]) == {
            "DocumentName": "staging-off",
            "Parameters": {"Announce": ["true"]},
        }

    def test_alarms_are_mute_before_the_switch_and_until_what_they_measured_has_passed(self, world, folder):
        world.on(folder)
        schedule = world.cloudwatch.rule["Rule"]["Schedule"]
        assert schedule == {"Expression": "at(2026-11-22T07:01)", "Duration": "PT4H14M", "Timezone": "UTC"}
        assert world.cloudwatch.rule["ExpireDate"] == UNTIL + timedelta(minutes=15)

    def test_a_stack_whose_server_has_no_alarm_has_no_mute_rule(self, folder):
        world = World("dns")
        world.cloudwatch.alarms = []
        world.on(folder)
        assert world.cloudwatch.rule is None
        assert world.troubles() == ()

    def test_a_rule_that_would_have_to_name_too_many_is_not_made(self, world, folder):
        dimension = [{"Name": "LoadBalancer", "Value": "app/web/1"}]
        world.cloudwatch.alarms = [
            {"AlarmName": f"learning-platform-staging-{number}", "StateValue": "OK", "Dimensions": dimension}
            for number in range(101)
        ]
        with pytest.raises(UserError, match=r"^mute: 101 alarms watch the site; a mute rule names 100\.$"):
            world.on(folder)
        assert (world.cloudwatch.rule, world.position()) == (None, "site")

    def test_a_plan_changes_nothing_and_shows_every_call(self, every):
        planned = survey(every.changeover().on(UNTIL))
        assert [one.stage.name for one in planned] == [
            "calendar",
            "page",
            "page's end",
            "record",
            "automatic end",
            "mute",
            "switch",
            "seen outside",
            "notice",
        ]
        assert [type(one.state) for one in planned[:3]] == [Done, Done, Todo]
        assert (every.position(), every.schedules(), every.cloudwatch.rule) == ("site", [], None)
        assert (every.ssm.commands, every.notices(), every.records.read()) == ([], [], None)
        muting = {one.stage.name: one.arguments for one in planned}["mute"]
        assert len(muting["MuteTargets"]["AlarmNames"]) == (4 if every.mode == "listener-rule" else 1)

    def test_who_did_it_and_since_when_is_on_record(self, world, folder):
        world.on(folder, override="Security fix")
        record = world.records.read()
        assert (record.by, record.since[:16], record.until) == (WHO, stamp(START)[:16], stamp(UNTIL))
        assert (record.told, record.override) == (stamp(UNTIL), "Security fix")

    def test_the_notice_is_no_alarm_to_the_escalation(self, world, folder):
        world.on(folder, override="Security fix")
        (sent,) = world.sns.published
        assert (sent["TopicArn"], sent["MessageStructure"]) == (TOPIC, "json")
        event = json.loads(json.loads(sent["Message"])["sqs"])
        assert set(event) == {"Event Source", "Event Message"}
        assert world.texts() == [
            "https://app.example.com/ is under maintenance. Visitors see a page that says so; nothing else answers.\n"
            "\n"
            "Until: 2026-11-22 06:00 EST (11:00 UTC)\n"
            f"By: {WHO}\n"
            "In spite of the change calendar: Security fix\n"
            "Next update: 2026-11-22 06:00 EST (11:00 UTC), when the page goes off by itself, or as soon as that "
            "changes."
        ]

    def test_while_on_only_the_end_changes(self, every, folder):
        every.on(folder)
        every.wait(3600)
        begun = every.cloudwatch.rule["Rule"]["Schedule"]["Expression"]
        rules = every.clients["elbv2"].describe_rules(ListenerArn=every.listener)["Rules"]
        every.on(folder, LATER, who="arn:ben")
        assert every.clients["elbv2"].describe_rules(ListenerArn=every.listener)["Rules"] == rules
        assert (every.schedules(), every.shown) == (["at(2026-11-22T13:00:00)"], stamp(LATER))
        # The mute does not pause: it keeps its beginning.
        assert every.cloudwatch.rule["Rule"]["Schedule"]["Expression"] == begun
        assert every.cloudwatch.rule["ExpireDate"] == LATER + timedelta(minutes=15)
        record = every.records.read()
        assert (record.by, record.since[:16]) == ("arn:ben", stamp(START)[:16])
        assert every.notices()[1] == "[staging] Maintenance moved, now until 2026-11-22 08:00 EST (13:00 UTC)"
        assert every.troubles() == ()

    def test_the_same_again_does_nothing(self, every, folder):
        every.on(folder)
        every.on(folder)
        assert (len(every.ssm.commands), every.cloudwatch.puts, len(every.notices())) == (1, 1, 1)

    def test_one_after_a_page_that_went_off_by_itself_is_a_new_one(self, world, folder):
        world.on(folder)
        world.ssm.start_automation_execution("staging-off")
        world.ssm.carry_out(world.ssm.executions[0])
        world.clients["scheduler"].delete_schedule(GroupName="staging", Name="maintenance-off")
        world.wait(24 * 3600)
        assert world.troubles() == ()
        tomorrow = UNTIL + timedelta(days=1)
        world.on(folder, tomorrow)
        record = world.records.read()
        assert (record.since[:10], record.until) == ("2026-11-23", stamp(tomorrow))
        assert world.notices()[1] == "[staging] Maintenance until 2026-11-23 06:00 EST (11:00 UTC)"
        assert world.troubles() == ()


class TestCalendar:
    @pytest.mark.parametrize(
        ("begin", "end", "sentence"),
        [
            (-1, 1, "calendar: the change calendar is closed until 2026-11-22 03:00 EST (08:00 UTC)."),
            (1, 2, "calendar: the change calendar closes at 2026-11-22 03:00 EST (08:00 UTC), before the end."),
            (1, 9, "calendar: the change calendar closes at 2026-11-22 03:00 EST (08:00 UTC), before the end."),
        ],
        ids=["now", "in between", "until later"],
    )
    def test_a_closed_calendar_refuses_and_says_until_when(self, world, folder, begin, end, sentence):
        hour = START.replace(minute=0, second=0)
        world.ssm.closed = [(hour + timedelta(hours=begin), hour + timedelta(hours=end))]
        with pytest.raises(UserError) as raised:
            world.on(folder)
        assert raised.value.lines == (
            f'{sentence} Choose another time, or say why it cannot wait: --override "reason".',
        )
        assert (world.position(), world.ssm.commands, world.records.read()) == ("site", [], None)

    def test_a_calendar_that_tells_no_change_is_asked_about_the_end_too(self, world, folder, monkeypatch):
        answer = world.ssm.get_calendar_state
        world.ssm.closed = [(UNTIL, UNTIL + timedelta(hours=1))]
        monkeypatch.setattr(
            world.ssm,
            "get_calendar_state",
            lambda **asked: {key: value for key, value in answer(**asked).items() if key != "NextTransitionTime"},
        )
        with pytest.raises(UserError, match=r"is closed at the end, 2026-11-22 06:00 EST \(11:00 UTC\)\."):
            world.on(folder)

    def test_an_override_is_heeded_and_journalled(self, world, folder):
        world.ssm.closed = [(START - timedelta(hours=1), UNTIL)]
        world.on(folder, override="Security fix")
        assert world.position() == "page"
        lines = [json.loads(line) for line in (folder / "maintenance.jsonl").read_text().splitlines()]
        assert {"override": "Security fix"} in [line.get("facts") for line in lines]


class TestFailures:
    def test_a_page_that_does_not_answer_is_never_switched_to(self, every, folder, monkeypatch):
        fetch = every.fetch
        monkeypatch.setattr(
            every,
            "fetch",
            lambda url, _to: fetch("x.example.com/" if ".maintenance" in url else url, None),
        )
        with pytest.raises(
            UserError, match=r"^page: not done after 1 minutes: in place of the page, the machine answers 200"
        ):
            every.on(folder)
        assert (every.position(), every.schedules(), every.ssm.commands) == ("site", [], [])

    def test_a_machine_that_the_balancer_does_not_find_well_is_told(self, world, folder):
        world.clients["elbv2"].deregister_targets(TargetGroupArn=world.page_group, Targets=[{"Id": world.machine}])
        with pytest.raises(UserError, match="the load balancer finds it"):
            world.on(folder)
        assert world.position() == "site"

    def test_a_command_that_fails_is_told_with_what_tells_more(self, world, folder):
        world.ssm.fate = "Failed"
        with pytest.raises(UserError) as raised:
            world.on(folder)
        assert raised.value.lines == (
            f"page's end: Systems Manager says Failed (aws ssm get-command-invocation --command-id {'0' * 36} "
            f"--instance-id {world.machine} tells more).",
        )
        world.ssm.fate = "Success"
        world.on(folder)
        assert len(world.ssm.commands) == 2

    def test_a_priority_that_somebody_else_has_is_told(self, world, folder):
        made = world.clients["elbv2"].create_rule(
            ListenerArn=world.listener,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/api/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": world.site_group}],
        )
        with pytest.raises(UserError) as raised:
            world.on(folder)
        arn = made["Rules"][0]["RuleArn"]
        assert raised.value.lines == (f"page: priority 1 is taken by the rule {arn}. Clear that by hand first.",)

    def test_an_address_that_a_stranger_has_is_left_to_it_by_either_way(self, folder):
        world = World("elastic-ip")
        ec2 = world.clients["ec2"]
        (stranger,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
        ec2.associate_address(AllocationId=world.allocation, InstanceId=stranger["InstanceId"], AllowReassociation=True)
        for way in (world.on, world.off):
            with pytest.raises(UserError, match=f"is on {stranger['InstanceId']}, a stranger. Clear that by hand"):
                way(folder)
        (address,) = ec2.describe_addresses(AllocationIds=[world.allocation])["Addresses"]
        assert address["InstanceId"] == stranger["InstanceId"]
        assert world.ssm.executions == []

    def test_a_page_that_does_not_show_is_taken_back(self, every, folder):
        every.hidden = True
        changeover = every.changeover()
        with pytest.raises(UserError, match=r"^seen outside: not done after"):
            run_on(every, changeover, folder)
        assert (every.position(), changeover.at_risk) == ("page", True)
        assert changeover.take_back(every.journal(folder), **every.how()) == (
            "It was taken back: requests go to the site, alarms ring, and nothing is scheduled.",
        )
        assert (every.position(), every.schedules(), every.cloudwatch.rule) == ("site", [], None)
        assert (every.records.read(), every.notices(), every.troubles()) == (None, [], ())
        assert [one["force"] for one in every.ssm.executions] == ["true"]

    def test_a_switch_that_aws_refuses_is_taken_back(self, world, folder):
        refusal = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "CreateRule")
        world.clients["elbv2"].meta.events.register("before-call.*.CreateRule", raising(refusal))
        changeover = world.changeover()
        with pytest.raises(UserError, match="AWS refuses elasticloadbalancing:CreateRule"):
            run_on(world, changeover, folder)
        assert changeover.at_risk
        changeover.take_back(world.journal(folder), **world.how())
        assert (world.cloudwatch.rule, world.schedules(), world.troubles()) == (None, [], ())

    def test_what_cannot_be_taken_back_either_is_told(self, world, folder):
        world.hidden, world.ssm.off_fails = True, "The rule is still there; delete it by hand."
        changeover = world.changeover()
        with pytest.raises(UserError):
            run_on(world, changeover, folder)
        assert changeover.take_back(world.journal(folder), **world.how()) == (
            "It could not be taken back either:",
            f"lead back: The rule is still there; delete it by hand. The execution is {'0' * 36}; "
            "--force does not ask the site.",
            "`runbook maintenance off -e staging --force --apply` tries that again.",
        )
        assert world.troubles() != ()

    def test_a_maintenance_that_was_announced_stays_on_when_its_new_end_fails(self, world, folder):
        world.on(folder)
        world.hidden = True
        changeover = world.changeover()
        with pytest.raises(UserError):
            run_on(world, changeover, folder, LATER)
        assert changeover.at_risk
        (line,) = changeover.take_back(world.journal(folder), **world.how())
        assert line.startswith("The page was on before and stays on;")
        assert (world.position(), world.ssm.executions) == ("page", [])

    def test_a_notice_that_fails_takes_nothing_back(self, world, folder):
        world.sns.refuses = True
        changeover = world.changeover()
        with pytest.raises(UserError, match="AWS refuses sns:Publish"):
            run_on(world, changeover, folder)
        assert (changeover.at_risk, world.position()) == (False, "page")
        assert world.troubles() == ("It was interrupted before anybody was told; the same command goes on from there.",)
        world.sns.refuses = False
        world.on(folder)
        assert (world.troubles(), len(world.notices())) == ((), 1)

    def test_a_closed_calendar_takes_nothing_back_of_a_run_that_goes_on(self, world, folder):
        world.sns.refuses = True
        with pytest.raises(UserError):
            world.on(folder)
        world.ssm.closed = [(START, UNTIL)]
        changeover = world.changeover()
        survey(changeover.on(UNTIL))
        with pytest.raises(UserError, match="calendar is closed"):
            run_on(world, changeover, folder)
        assert not changeover.at_risk


class TestOff:
    def test_every_mode_leads_back_and_leaves_nothing(self, every, folder):
        every.on(folder)
        every.off(folder)
        assert (every.position(), every.schedules(), every.cloudwatch.rule) == ("site", [], None)
        assert (every.records.read(), every.shown, every.troubles()) == (None, "", ())
        assert every.notices()[1] == "[staging] Maintenance is over"
        assert every.texts()[1].startswith(f"Resolved: {every.entry.url} is back after maintenance.")
        assert [one["force"] for one in every.ssm.executions] == ["false"]

    def test_where_nothing_is_on_nothing_is_done(self, every, folder):
        assert [type(one.state) for one in survey(every.changeover().off())] == [Done] * 7
        every.off(folder)
        assert (every.ssm.executions, every.notices(), every.ssm.commands) == ([], [], [])

    def test_a_site_that_is_not_well_keeps_the_page_unless_forced(self, world, folder):
        world.on(folder)
        world.clients["elbv2"].deregister_targets(TargetGroupArn=world.site_group, Targets=[{"Id": world.server}])
        with pytest.raises(UserError) as raised:
            world.off(folder)
        assert raised.value.lines == (
            "lead back: The page stays: none of the site's 0 servers is healthy. Repair the site, or run this again "
            f"with Force=true. The execution is {'0' * 36}; --force does not ask the site.",
        )
        assert (world.position(), world.muted(), len(world.schedules())) == ("page", SITE_ALARMS, 1)
        world.sick = True
        world.off(folder, force=True)
        assert (world.position(), world.troubles()) == ("site", ())

    def test_a_site_that_does_not_answer_keeps_its_alarms_mute_and_is_told(self, world, folder):
        world.on(folder)
        world.sick = True
        with pytest.raises(UserError, match=r"seen outside: .*https://app\.example\.com/health answers 502"):
            world.off(folder)
        assert (world.position(), len(world.notices())) == ("site", 1)
        assert world.troubles() != ()
        world.sick = False
        world.off(folder)
        assert (world.troubles(), len(world.notices()), len(world.ssm.executions)) == ((), 2, 1)

    def test_alarms_that_the_page_set_off_are_waited_for_because_unmuting_rings_them(self, world, folder):
        world.on(folder)
        alarm = world.cloudwatch.alarms[0]
        alarm["StateValue"] = "ALARM"
        deleted = []
        wait = world.wait

        def waiting(seconds):
            wait(seconds)
            if world.position() == "site" and world.cloudwatch.rule is not None:
                deleted.append(world.elapsed)
                if len(deleted) == 3:
                    alarm["StateValue"] = "OK"

        world.wait = waiting
        facts = world.off(folder)
        assert (len(deleted), "ringing" in facts) == (3, False)
        assert world.cloudwatch.rule is None

    def test_alarms_that_ring_for_longer_are_let_through_and_told(self, world, folder):
        world.on(folder)
        world.cloudwatch.alarms[0]["StateValue"] = "ALARM"
        began = world.elapsed
        assert world.off(folder)["ringing"] == ["learning-platform-staging-balancer-rejected"]
        assert 600 <= world.elapsed - began < 660
        assert world.cloudwatch.rule is None

    def test_one_that_ends_by_itself_at_that_moment_is_waited_for(self, world, folder):
        world.on(folder)
        world.ssm.start_automation_execution("staging-off")
        world.off(folder)
        assert len(world.ssm.executions) == 1

    def test_a_schedule_that_came_due_meanwhile_is_no_trouble(self, world, folder):
        world.on(folder)
        scheduler = world.clients["scheduler"]

        def race(**_more):
            scheduler.meta.events.unregister("before-call.scheduler.DeleteSchedule", race)
            scheduler.delete_schedule(GroupName="staging", Name="maintenance-off")

        scheduler.meta.events.register("before-call.scheduler.DeleteSchedule", race)
        world.off(folder)
        assert (world.schedules(), world.troubles()) == ([], ())

    def test_a_schedule_that_was_changed_by_hand_is_told(self, world, folder):
        world.on(folder)
        scheduler = world.clients["scheduler"]
        found = scheduler.get_schedule(GroupName="staging", Name="maintenance-off")
        kept = {key: found[key] for key in ("GroupName", "Name", "FlexibleTimeWindow", "Target")}
        scheduler.update_schedule(**kept, ScheduleExpression="rate(1 day)")
        with pytest.raises(UserError, match=r"staging/maintenance-off says rate\(1 day\), which is no single time"):
            world.off(folder)


class TestPrometheus:
    """The alerts that have the names of CloudWatch's alarms."""

    @pytest.fixture
    def world(self):
        return World(prometheus=True)

    def test_the_twins_of_the_muted_alarms_are_silenced_as_long(self, world, folder):
        world.on(folder)
        assert world.silenced() == [(SITE_ALARMS, "2026-11-22T11:15:00Z")]
        (made,) = world.silences.made.values()
        assert made["matchers"][0] | {"value": ""} == {
            "name": "alertname",
            "value": "",
            "isRegex": True,
            "isEqual": True,
        }
        assert (made["createdBy"], made["comment"]) == (
            "runbook maintenance",
            "The maintenance page of staging is on until 2026-11-22T11:00:00Z",
        )
        assert world.troubles() == ()

    def test_they_are_silent_before_the_switch(self, world):
        names = [one.stage.name for one in survey(world.changeover().on(UNTIL))]
        assert names[5:8] == ["mute", "silence", "switch"]
        assert world.silences.puts == 0

    def test_a_later_end_moves_the_silence_and_the_same_again_does_nothing(self, world, folder):
        world.on(folder)
        world.on(folder)
        assert world.silences.puts == 1
        world.wait(3600)
        world.on(folder, LATER)
        assert world.silenced() == [(SITE_ALARMS, "2026-11-22T13:15:00Z")]

    def test_off_and_what_is_taken_back_let_them_ring(self, world, folder):
        world.on(folder)
        world.off(folder)
        assert (world.silenced(), world.troubles()) == ([], ())
        world.hidden = True
        changeover = world.changeover()
        with pytest.raises(UserError, match=r"^seen outside"):
            run_on(world, changeover, folder)
        assert len(world.silenced()) == 1
        changeover.take_back(world.journal(folder), **world.how())
        assert (world.silenced(), world.troubles()) == ([], ())

    def test_a_silence_that_is_refused_is_taken_back_before_anybody_sees_the_page(self, world, folder):
        world.silences.refuses = True
        changeover = world.changeover()
        with pytest.raises(UserError, match="AWS refuses aps:PutAlertManagerSilences"):
            run_on(world, changeover, folder)
        assert (changeover.at_risk, world.position()) == (True, "site")

    def test_a_silence_of_somebody_else_stays(self, world, folder):
        other = {"createdBy": "ana", "startsAt": stamp(START), "endsAt": stamp(LATER), "matchers": []}
        world.silences.made["ana's"] = dict(other)
        world.on(folder)
        world.off(folder)
        assert world.silences.made["ana's"] == other

    def test_what_lacks_or_outlives_its_maintenance_is_a_trouble(self, world, folder):
        world.on(folder)
        (name,) = world.silences.made
        world.silences.delete_silence(name)
        assert world.troubles() == ("The alerts of Prometheus that the page sets off are not silenced.",)
        world.on(folder)
        world.clients["elbv2"].delete_rule(RuleArn=page_rule(world))
        assert "The alerts of Prometheus are silenced, although the page is not on." in world.troubles()

    @pytest.mark.parametrize("way", ["on", "off"])
    def test_killed_at_any_call_and_started_again_it_is_whole(self, world, folder, way):
        def begin():
            world.reset()
            if way == "off":
                world.on(folder)
            world.silences.calls = 0
            return getattr(world, way)

        begin()(folder)
        calls = world.silences.calls
        assert calls >= 3
        for index in range(1, calls + 1):
            go = begin()
            world.silences.killed_at = index
            with pytest.raises(KeyboardInterrupt):
                go(folder)
            world.silences.killed_at = None
            go(folder)
            assert (len(world.silenced()), world.silences.puts) == ((1, 1) if way == "on" else (0, 1))
            assert world.troubles() == ()


#: Whatever changes something, but for the notice and its note.
CHANGES = {
    "AssociateAddress",
    "CreateRule",
    "CreateSchedule",
    "DeleteAlarmMuteRule",
    "DeleteSchedule",
    "PutAlarmMuteRule",
    "SendCommand",
    "StartAutomationExecution",
    "UpdateHealthCheck",
    "UpdateSchedule",
}
NOTES = {"DeleteParameter", "PutParameter"}


class Watched:
    """A world whose every call is listed, and one of which can be struck before it takes effect."""

    def __init__(self, mode, what, folder):
        self.world, self.folder = World(mode), folder
        self.trouble = Trouble(None, what)
        self.asked, self.made = [], []
        for client in self.world.clients.values():
            client.meta.events.register_first("before-call.*.*", lambda model, **_more: self.asked.append(model.name))
            client.meta.events.register("after-call.*.*", self._note)
            self.trouble.watch(client)

    def _note(self, model, http_response, **_more):
        if http_response.status_code < 300:
            self.made.append(model.name)

    def prepare(self, way):
        """As it is before ``way``, which it returns."""
        self.world.reset()
        if way == "off":
            self.world.on(self.folder)
        self.asked.clear()
        self.made.clear()
        return getattr(self.world, way)

    def calls(self, way):
        """Names of the calls of a run that nothing stops."""
        self.prepare(way)(self.folder)
        return list(self.asked)

    def stop(self, way, index):
        """Struck at call ``index``, counted from 1, and started again."""
        go = self.prepare(way)
        self.trouble.at, self.trouble.count = index, 0
        with pytest.raises((KeyboardInterrupt, UserError)):
            go(self.folder)
        told = "Publish" in self.made
        go(self.folder)
        return told


@pytest.mark.parametrize("way", ["on", "off"])
@pytest.mark.parametrize(
    ("mode", "what", "thorough"),
    [
        ("listener-rule", KeyboardInterrupt, True),
        ("listener-rule", THROTTLED, False),
        ("elastic-ip", KeyboardInterrupt, False),
        ("dns", KeyboardInterrupt, False),
    ],
    ids=["rule", "rule, throttled", "address", "name"],
)
def test_stopped_at_any_call_and_started_again_it_is_whole_and_nothing_is_done_twice(mode, what, thorough, way, folder):
    watched = Watched(mode, what, folder)
    calls = watched.calls(way)
    # Being killed after a call is being killed before the next one.
    changing = [name in CHANGES | NOTES | {"Publish"} for name in [*calls, ""]]
    indexes = [
        number for number in range(1, len(calls) + 1) if thorough or changing[number - 1] or changing[number - 2]
    ]
    assert len(indexes) > 10
    for index in indexes:
        told = watched.stop(way, index)
        world = watched.world
        where = f"stopped at call {index}, {calls[index - 1]}"
        twice = {name for name in watched.made if name in CHANGES and watched.made.count(name) > 1}
        assert not twice, where
        # A notice that went out and was not noted goes out again.
        again = told and calls[index - 1] in NOTES
        assert len(world.notices()) == (2 if way == "off" else 1) + again, where
        assert (world.position(), world.troubles()) == ("page" if way == "on" else "site", ()), where


def run_on(world, changeover, folder, until=UNTIL):
    return run(changeover.on(until), world.clients, world.journal(folder), **world.how())


def page_rule(world):
    rules = world.clients["elbv2"].describe_rules(ListenerArn=world.listener)["Rules"]
    (arn,) = [one["RuleArn"] for one in rules if not one["IsDefault"]]
    return arn


def raising(refusal):
    return lambda **_more: (SimpleNamespace(status_code=400), refusal.response)
