"""What is decided without AWS: the end, the alarms, the record, what a status means, and what the internet shows."""

import json
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.console import PLAIN
from runbook.errors import UserError
from runbook.operations.maintenance import alarms, report, web
from runbook.operations.maintenance.alarms import Mute
from runbook.operations.maintenance.entry import SETTLING, entry
from runbook.operations.maintenance.record import Record
from runbook.operations.maintenance.silences import Silence
from runbook.operations.maintenance.status import Status, troubles
from runbook.operations.maintenance.switch import Standing
from runbook.operations.maintenance.until import checked_reason, parse, shown
from runbook.operations.maintenance.web import Answer
from runbook.operations.restore.moments import stamp

from .certificate import make
from .world import PREFIX, START, UNTIL, WHO, ZONE, World

ON = Status(
    at=START,
    zone="UTC",
    standing=Standing("page"),
    record=Record(by=WHO, since=stamp(START), until=stamp(UNTIL), told=stamp(UNTIL)),
    scheduled=UNTIL,
    mute=Mute(status="ACTIVE", begins=START, ends=UNTIL + SETTLING, alarms=frozenset({"a"})),
    silence=None,
    has_prometheus=False,
    wanted=("a",),
    calendar="OPEN",
    changes_at=None,
    outside=Answer(status=503, headers={"retry-after": "1"}, body=f'<time datetime="{stamp(UNTIL)}">'),
)
OFF = replace(
    ON, standing=Standing("site"), record=None, scheduled=None, mute=None, outside=Answer(status=200), wanted=("a",)
)


class TestUntil:
    @pytest.mark.parametrize(
        ("text", "end"),
        [
            ("2026-11-22T06:00", UNTIL),
            ("2026-11-22 06:00", UNTIL),
            ("2026-11-22T06:00:00", UNTIL),
            ("2026-11-22T11:00Z", UNTIL),
            ("2026-11-22T12:00+01:00", UNTIL),
        ],
    )
    def test_a_time_is_local_unless_it_has_an_offset(self, text, end):
        assert parse(text, ZONE, START) == end

    @pytest.mark.parametrize(
        ("text", "first", "second"),
        [
            (
                "tomorrow",
                "--until 'tomorrow' is no time.",
                'Write for example --until "2026-11-22T04:00", local time of America/Detroit.',
            ),
            (
                "2026-11-22T06:00:30",
                "--until '2026-11-22T06:00:30' has seconds; the end is a full minute.",
                "Leave them out.",
            ),
            (
                "2026-11-22T02:00",
                "--until '2026-11-22T02:00' is past: 2026-11-22 02:00 EST (07:00 UTC); now it is 2026-11-22 "
                "02:00 EST (07:00 UTC).",
                "Write a later time.",
            ),
            (
                "2026-11-22T02:05",
                "--until '2026-11-22T02:05' is too near: 2026-11-22 02:05 EST (07:05 UTC); now it is 2026-11-22 "
                "02:00 EST (07:00 UTC).",
                "Write a time at least 5 minutes from now.",
            ),
            (
                "2026-11-23T02:01",
                "--until '2026-11-23T02:01' is too far away: 2026-11-23 02:01 EST (07:01 UTC); now it is 2026-11-22 "
                "02:00 EST (07:00 UTC).",
                "A page stays on for 24 hours at most; the same command with a later time prolongs it.",
            ),
        ],
        ids=["no time", "seconds", "past", "near", "far"],
    )
    def test_what_cannot_be_an_end_is_told_with_the_way_out(self, text, first, second):
        with pytest.raises(UserError) as raised:
            parse(text, ZONE, START)
        assert raised.value.lines == (first, second)

    def test_a_time_that_the_clock_leaves_out_is_refused(self):
        with pytest.raises(UserError, match="does not exist in America/Detroit: the clock is put forward over it"):
            parse("2026-03-08T02:30", ZONE, datetime(2026, 3, 8, 6, tzinfo=UTC))

    def test_a_time_that_occurs_twice_is_the_earlier_one(self):
        now = datetime(2026, 11, 1, 4, tzinfo=UTC)
        assert parse("2026-11-01T01:30", ZONE, now) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)

    @given(st.integers(5, 24 * 60), st.sampled_from(["UTC", ZONE, "Asia/Kolkata"]))
    def test_a_full_minute_within_a_day_is_taken_as_it_was_meant(self, minutes, zone):
        now = datetime(2026, 6, 3, 12, tzinfo=UTC)
        end = now + timedelta(minutes=minutes)
        assert parse(f"{end.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}", zone, now) == end

    def test_where_local_time_is_utc_it_is_told_once(self):
        assert shown(UNTIL, "UTC") == "2026-11-22 11:00 UTC"

    @pytest.mark.parametrize("text", [" ", "a\nb", "x" * 201, "\x1b[1m"])
    def test_a_reason_that_is_no_line_is_refused(self, text):
        with pytest.raises(UserError, match="is no reason: it is one line of 1 to 200 characters"):
            checked_reason(text)

    def test_a_reason_is_trimmed_and_none_is_none(self):
        assert (checked_reason(" why "), checked_reason("")) == ("why", "")


class TestAlarms:
    def test_composites_are_muted_with_what_they_listen_to_and_the_page_s_own_alarms_are_not(self):
        world = World()
        found = alarms.chosen(world.entry, world.cloudwatch.alarms, world.cloudwatch.composites)
        assert [name.removeprefix(PREFIX) for name in found] == [
            "balancer-error-rate",
            "balancer-rejected",
            "group-cpu",
            "service-down",
        ]

    @given(st.integers(1, 24 * 60), st.integers(0, 59))
    def test_a_new_mute_begins_with_the_next_minute_and_ends_when_all_has_settled(self, minutes, seconds):
        now = START.replace(second=seconds)
        until = START.replace(second=0) + timedelta(minutes=minutes)
        given_ = alarms.arguments(_ENTRY, ["a"], until, None, now)
        begins = datetime.strptime(given_["Rule"]["Schedule"]["Expression"], "at(%Y-%m-%dT%H:%M)").replace(tzinfo=UTC)
        assert timedelta() < begins - now <= timedelta(minutes=1)
        hours, _, rest = given_["Rule"]["Schedule"]["Duration"].removeprefix("PT").rpartition("H")
        length = timedelta(hours=int(hours or 0), minutes=int(rest.removesuffix("M") or 0))
        assert begins + length == given_["ExpireDate"] == until + SETTLING

    @pytest.mark.parametrize(
        ("mute", "fits"),
        [
            (ON.mute, True),
            (replace(ON.mute, status="SCHEDULED"), True),
            (replace(ON.mute, status="EXPIRED"), False),
            (replace(ON.mute, ends=UNTIL), False),
            (replace(ON.mute, ends=None), False),
            (replace(ON.mute, alarms=frozenset({"a", "b"})), False),
        ],
    )
    def test_a_rule_of_another_end_or_other_alarms_is_written_anew(self, mute, fits):
        assert mute.fits(UNTIL, ["a"]) is fits

    def test_a_rule_that_is_not_of_this_make_has_no_beginning_to_keep(self):
        assert alarms._begins("cron(0 2 * * *)") is None


_ENTRY = type("Entry", (), {"mute_rule": "m"})()


class TestStatus:
    @pytest.mark.parametrize("status", [ON, OFF], ids=["on", "off"])
    def test_what_fits_together_is_no_trouble(self, status):
        assert troubles(status) == ()

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            (
                {"at": UNTIL},
                "The page is past its end, 2026-11-22 11:00 UTC; why it stayed is told by the off document's runs.",
            ),
            ({"scheduled": None}, "Nothing is scheduled that takes the page off."),
            (
                {"scheduled": UNTIL + timedelta(hours=1)},
                "The page goes off at 2026-11-22 12:00 UTC, and not when it says, 2026-11-22 11:00 UTC.",
            ),
            ({"record": None}, "Nobody is on record for it: it was switched by hand."),
            (
                {"record": replace(ON.record, told="")},
                "It was interrupted before anybody was told; the same command goes on from there.",
            ),
            ({"mute": None}, "The alarms that the page sets off are not muted."),
            ({"mute": replace(ON.mute, status="SCHEDULED")}, "The alarms that the page sets off are not muted."),
            ({"outside": Answer(status=200)}, "From here it is not to be seen: the site answers 200."),
            (
                {"outside": Answer(status=503, why="")},
                "From here it is not to be seen: the site answers 503.",
            ),
            (
                {"standing": Standing("neither", "the address is nobody's")},
                "Requests are led neither to the site nor to the page: the address is nobody's.",
            ),
        ],
    )
    def test_what_is_half_on_is_told(self, changes, sentence):
        assert troubles(replace(ON, **changes)) == (sentence,)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"scheduled": UNTIL}, "The end of a page that is not on is scheduled for 2026-11-22 11:00 UTC."),
            ({"mute": ON.mute}, "The alarms of the site are muted, although the page is not on."),
            (
                {"record": replace(ON.record, told="")},
                "It was begun and interrupted before anybody was told.",
            ),
            ({"outside": ON.outside}, "Visitors see the page although nothing was switched."),
        ],
    )
    def test_what_is_half_off_is_told(self, changes, sentence):
        assert troubles(replace(OFF, **changes)) == (sentence,)

    @given(st.integers(-600, 3600))
    def test_after_a_page_went_off_by_itself_a_mute_is_settling_and_then_too_long(self, seconds):
        at = UNTIL + timedelta(seconds=seconds)
        found = troubles(replace(OFF, at=at, mute=ON.mute, record=ON.record))
        assert bool(found) is not (UNTIL <= at < UNTIL + SETTLING)

    def test_an_expired_mute_rule_is_no_mute(self):
        assert troubles(replace(OFF, mute=replace(ON.mute, status="EXPIRED"))) == ()

    def test_a_person_reads_what_is_on_and_what_to_do(self):
        world = World()
        found = replace(ON, scheduled=None, calendar="CLOSED", changes_at=UNTIL)
        assert [line.plain for line in report.lines(world.entry, found, PLAIN)] == [
            "Maintenance of https://app.example.com/, 2026-11-22 07:00 UTC",
            "  page       ON: requests go to the page (listener-rule)",
            "  until      2026-11-22 11:00 UTC",
            f"  by         {WHO}, since 2026-11-22T07:00:30Z",
            "  goes off   nothing scheduled",
            "  alarms     1 alarm muted until 2026-11-22 11:15 UTC",
            "  calendar   closed until 2026-11-22 11:00 UTC",
            "  outside    the page",
            "  - Nothing is scheduled that takes the page off.",
            "Next:",
            "  runbook maintenance off -e staging --apply",
            "  runbook maintenance on -e staging --until … --apply",
        ]

    def test_where_there_is_prometheus_its_silence_is_told(self):
        world = World(prometheus=True)
        silence = Silence(id="s", begins=START, ends=UNTIL + SETTLING, alerts="a")
        silent = replace(ON, has_prometheus=True, silence=silence)
        for status, row in ((silent, "silenced until 2026-11-22 11:15 UTC"), (replace(silent, silence=None), "rings")):
            assert f"  Prometheus {row}" in [line.plain for line in report.lines(world.entry, status, PLAIN)]
        assert json.loads(report.document(world.entry, silent))["silence"] == {
            "begins": START.isoformat(),
            "ends": (UNTIL + SETTLING).isoformat(),
        }

    def test_a_person_reads_that_nothing_is_on(self):
        world = World()
        assert [line.plain for line in report.lines(world.entry, OFF, PLAIN)][1:] == [
            "  page       off: requests go to the site (listener-rule)",
            "  goes off   nothing scheduled",
            "  alarms     ring (1 alarm would be muted)",
            "  calendar   open",
            "  outside    the site answers 200",
            "  All of this fits together.",
        ]


class TestInventory:
    @pytest.mark.parametrize("name", ["untilDocument", "listenerArn", "calendar"])
    def test_what_it_lacks_is_told(self, name):
        world = World()
        del world.inventory["maintenance"][name]
        with pytest.raises(UserError) as raised:
            entry(world.site, world.inventory.__getitem__)
        assert raised.value.lines == (
            f"The inventory of maintenance (/learning-platform/staging/inventory/maintenance) does not say {name}.",
            "`make up STACK=staging` writes it anew.",
        )

    def test_a_server_outside_the_stack_is_asked_by_its_own_path_and_needs_nothing_of_the_web_tier(self):
        world = World("dns")
        del world.inventory["web"], world.inventory["monitoring"]
        assert world.entry.site_path == "/up"

    def test_the_platform_itself_is_asked_by_the_path_of_its_health_check(self):
        assert World().entry.site_path == "/health"

    def test_a_parameter_that_is_no_record_is_told(self):
        world = World()
        name = world.entry.record
        for value in ("[]", "{}", "no"):
            world.clients["ssm"].put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
            with pytest.raises(UserError, match=f"{name} is no record of a maintenance"):
                world.records.read()


class _Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{self.path} of {self.headers['Host']}".encode()
        self.send_response(503)
        self.send_header("Retry-After", "60")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server at 127.0.0.1 with a certificate of localhost, which is trusted; returns its port."""
    key, certificate = make(tmp_path, "localhost")
    server = HTTPServer(("127.0.0.1", 0), _Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    trusted = ssl.create_default_context
    monkeypatch.setattr("ssl.create_default_context", lambda: trusted(cafile=str(certificate)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


class TestFetch:
    def test_a_machine_is_asked_as_if_the_name_led_there(self, served):
        found = web.fetch(f"https://localhost:{served}/.maintenance", "127.0.0.1")
        assert (found.status, found.headers["retry-after"]) == (503, "60")
        assert found.body == f"/.maintenance of localhost:{served}"
        assert found.is_page

    def test_a_certificate_of_another_name_is_no_answer(self, served):
        found = web.fetch(f"https://other.example:{served}/", "127.0.0.1")
        assert found.status == 0
        assert "Hostname mismatch" in found.why
        assert str(found).startswith("does not answer (")

    def test_a_port_that_nobody_listens_on_is_an_answer_too(self):
        found = web.fetch("https://localhost:1/", "127.0.0.1")
        assert (found.status, found.is_page, found.is_well) == (0, False, False)

    @pytest.mark.parametrize(("status", "well"), [(200, True), (301, True), (404, False), (503, False)])
    def test_success_and_redirection_are_well(self, status, well):
        assert Answer(status=status).is_well is well

    def test_a_page_without_an_end_promises_none(self):
        assert Answer(status=503, body="<p>").tells("")
        assert not Answer(status=503, body='<time datetime="x">').tells("")
