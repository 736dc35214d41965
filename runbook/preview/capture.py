"""Runs a program against a monitor that records what the engine would be asked to register.

The SDK's own entry point (``run_in_stack``) does the work, so the requests are those of a real run. The monitor
answers each at once: nothing is looked up, no provider is asked, no network is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import heapq
import io
import itertools
import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import config as runtime_config
from pulumi.runtime import settings as runtime_settings
from pulumi.runtime.proto import engine_pb2, resource_pb2, source_pb2
from pulumi.runtime.stack import run_in_stack

from ..errors import UserError
from . import outputs, shapes, wire
from .graph import (
    SECRET,
    STACK_TYPE,
    UNKNOWN,
    Diagnostic,
    Fidelity,
    Graph,
    Resource,
    SourcePosition,
    holds_unknown,
)

Program = Callable[[], None]

_FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
)

_THIS_FILE = Path(__file__).as_uri()

_SEVERITIES = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}


class UnansweredCallError(Exception):
    """The program asked for something that only a live account can answer."""


@dataclass(frozen=True, slots=True)
class _Fault:
    position: SourcePosition | None
    sentence: str

    def __str__(self) -> str:
        return f"{self.position}: {self.sentence}" if self.position else self.sentence


class _Monitor:
    """Answers the SDK's requests and keeps what they say. The methods' names are those of the protocol."""

    def __init__(self, stack: str, project: str, root: Path, config: Mapping[str, str]) -> None:
        self._prefix = f"urn:pulumi:{stack}::{project}::"
        self._root = root
        self._config = config
        self._home = outputs.Home.of(config)
        self._own_files: dict[str, str] = {}
        self.resources: dict[str, Resource] = {}
        self.exports: Mapping[str, Any] = {}
        self.faults: list[_Fault] = []

    def RegisterResource(  # noqa: N802 - protocol
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self._urn(request.parent, request.type, request.name)
        position = self._position(request.sourcePosition)
        if urn in self.resources:
            first = self.resources[urn].source
            self.faults.append(
                _Fault(position, f"{urn} is registered twice; the first is at {first}. Give one of them another name.")
            )
        response = resource_pb2.RegisterResourceResponse(urn=urn)
        inputs = wire.to_plain(request.object)
        made: dict[str, Any] = {}
        if request.custom:
            self.faults += [_Fault(position, text) for text in shapes.faults(request.type, request.name, inputs)]
            response.id, made = outputs.synthesise(request.type, request.name, urn, inputs, self._home)
            response.object.CopyFrom(request.object)
            wire.add(response.object, made)
        self.resources[urn] = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            id=response.id or None,
            parent=request.parent or None,
            provider=self._provider(request) if request.custom else None,
            protect=request.protect,
            dependencies=tuple(sorted(request.dependencies)),
            property_dependencies={
                key: tuple(sorted(dependencies.urns))
                for key, dependencies in sorted(request.propertyDependencies.items())
            },
            inputs=inputs,
            outputs={**inputs, **made, "id": response.id} if request.custom else {},
            source=position,
            trace=self._trace(request),
            options=_options(request),
        )
        return response

    def RegisterResourceOutputs(  # noqa: N802 - protocol
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        values = wire.to_plain(request.outputs)
        resource = self.resources[request.urn]
        self.resources[request.urn] = replace(resource, outputs=values)
        if resource.type == STACK_TYPE:
            self.exports = values
        return empty_pb2.Empty()

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        raise self._unanswered(request.sourcePosition, f"The program calls {request.tok}")

    def Call(self, request: resource_pb2.ResourceCallRequest) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        raise self._unanswered(request.sourcePosition, f"The program calls {request.tok}")

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:  # noqa: N802
        raise self._unanswered(request.sourcePosition, f"The program reads {request.type} {request.name!r}")

    def GetDeploymentInfo(self, _request: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:  # noqa: N802 - protocol
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES)

    def SignalAndWaitForShutdown(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802 - protocol
        return empty_pb2.Empty()

    def _unanswered(self, raw: source_pb2.SourcePosition, what: str) -> UnansweredCallError:
        fault = _Fault(
            self._position(raw) or _ORIGIN.get(),
            f"{what}, which only a live account can answer. Make what it returns a setting.",
        )
        self.faults.append(fault)
        return UnansweredCallError(fault.sentence)

    def _urn(self, parent: str, type_: str, name: str) -> str:
        """The whole chain of parent types, except the stack's, as the engine writes it."""
        chain = parent.split("::")[2] if parent else ""
        qualified = f"{chain}${type_}" if chain and chain != STACK_TYPE else type_
        return f"{self._prefix}{qualified}::{name}"

    def _position(self, raw: source_pb2.SourcePosition) -> SourcePosition | None:
        """A place in the project's own files; None for one in a library, whose path differs from machine to machine."""
        path = self._own_files.get(raw.uri)
        if path is None:
            full = Path(unquote(urlparse(raw.uri).path))
            inside = bool(raw.uri) and full.is_relative_to(self._root) and "site-packages" not in full.parts
            path = self._own_files[raw.uri] = full.relative_to(self._root).as_posix() if inside else ""
        return SourcePosition(path, raw.line) if path else None

    def _trace(self, request: resource_pb2.RegisterResourceRequest) -> tuple[SourcePosition, ...]:
        """The program's own calls; those beyond this module are the caller's."""
        frames = itertools.takewhile(lambda frame: frame.pc.uri != _THIS_FILE, request.stackTrace.frames)
        return tuple(position for frame in frames if (position := self._position(frame.pc)))

    def _provider(self, request: resource_pb2.RegisterResourceRequest) -> str | None:
        """The named provider, or the engine's default one for the package and version, registered on first use."""
        package = request.type.split(":")[0]
        if request.provider or package == "pulumi":
            return request.provider or None
        name = f"default_{request.version.replace('.', '_')}" if request.version else "default"
        type_ = f"pulumi:providers:{package}"
        urn = self._urn("", type_, name)
        if urn not in self.resources:
            namespace = f"{package}:"
            inputs: dict[str, Any] = {
                key.removeprefix(namespace): value for key, value in self._config.items() if key.startswith(namespace)
            }
            if request.version:
                inputs["version"] = request.version
            self.resources[urn] = Resource(
                urn=urn,
                type=type_,
                name=name,
                custom=True,
                id=UNKNOWN,
                parent=None,
                provider=None,
                protect=False,
                dependencies=(),
                property_dependencies={},
                inputs=inputs,
                outputs=inputs,
                source=None,
            )
        return f"{urn}::{UNKNOWN}"


def _options(request: resource_pb2.RegisterResourceRequest) -> dict[str, Any]:
    """The options that were given and have no field of their own, by their wire name."""
    timeouts = request.customTimeouts
    given = {
        "additionalSecretOutputs": sorted(request.additionalSecretOutputs),
        "aliases": [_alias(alias) for alias in request.aliases] + list(request.aliasURNs),
        "customTimeouts": {k: getattr(timeouts, k) for k in ("create", "update", "delete") if getattr(timeouts, k)},
        "deleteBeforeReplace": request.deleteBeforeReplace,
        "deletedWith": request.deletedWith,
        "hideDiff": list(request.hideDiffs),
        "ignoreChanges": list(request.ignoreChanges),
        "importID": request.importId,
        "replaceOnChanges": list(request.replaceOnChanges),
        "replaceWith": sorted(request.replace_with),
        "retainOnDelete": request.retainOnDelete,
    }
    return {key: value for key, value in given.items() if value}


def _alias(alias: Any) -> str | dict[str, Any]:
    if alias.urn:
        return str(alias.urn)
    spec = alias.spec
    parts = {"name": spec.name, "type": spec.type, "stack": spec.stack, "project": spec.project}
    parts |= {"parentUrn": spec.parentUrn, "noParent": spec.noParent}
    return {key: value for key, value in parts.items() if value}


class _Engine:
    """Keeps the program's log."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802 - protocol
        severity = _SEVERITIES.get(request.severity)
        if severity and not request.ephemeral:
            self.diagnostics.append(Diagnostic(severity=severity, message=request.message, urn=request.urn or None))
        return empty_pb2.Empty()


class _Inline(ThreadPoolExecutor):
    """Answers at once in the calling thread: the monitor never blocks, and a thread a request costs more than it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is handed on through the future
            future.set_exception(error)
        return future


def capture(
    program: Program,
    *,
    project: str = "learning-platform",
    stack: str = "staging",
    config: Mapping[str, str] | None = None,
    secret_keys: Collection[str] = (),
    root: Path | None = None,
) -> Graph:
    """The graph that ``program`` registers in a preview of ``stack``.

    ``config``: the stack's configuration as the CLI hands it over, structured values as JSON; ``secret_keys``: the
    keys of it that are secret; ``root``: the project folder, which source positions are relative to.

    Raises UserError for a repeated URN, a missing or misspelt input, a call that needs an account, or an exception
    of the program, with file and line.
    """
    run = _Run(program, project, stack, dict(config or {}), frozenset(secret_keys), (root or Path.cwd()).resolve())
    try:
        return run.graph()
    except _Unplaced:
        # What fails in the background has lost the line that started it; a slower second run keeps it.
        return run.graph(traced=True)


class _Unplaced(Exception):  # noqa: N818 - a signal inside this module
    """The program failed, and where is not known."""


@dataclass(frozen=True, slots=True)
class _Run:
    program: Program
    project: str
    stack: str
    config: Mapping[str, str]
    secret_keys: frozenset[str]
    root: Path

    def graph(self, *, traced: bool = False) -> Graph:
        started = time.perf_counter()
        monitor, engine = _Monitor(self.stack, self.project, self.root, self.config), _Engine()
        printed = io.StringIO()
        try:
            contextvars.copy_context().run(self._execute, monitor, engine, printed, traced)
        except Exception as error:
            if not monitor.faults:
                raise self._user_error(error, traced) from error
        if monitor.faults:
            if not traced and any(fault.position is None for fault in monitor.faults):
                raise _Unplaced
            raise UserError(*map(str, monitor.faults))
        resources = _in_order(monitor.resources)
        said = (Diagnostic(severity="info", message=line) for line in printed.getvalue().splitlines())
        return Graph(
            project=self.project,
            stack=self.stack,
            config={key: SECRET if key in self.secret_keys else value for key, value in self.config.items()},
            resources=resources,
            exports=monitor.exports,
            diagnostics=(*engine.diagnostics, *said),
            fidelity=_fidelity(resources),
            seconds=time.perf_counter() - started,
        )

    def _execute(self, monitor: _Monitor, engine: _Engine, printed: io.StringIO, traced: bool) -> None:
        runtime_settings.ROOT.set(None)
        runtime_settings.configure(
            runtime_settings.Settings(
                project=self.project,
                stack=self.stack,
                monitor=monitor,
                engine=engine,
                dry_run=True,
                organization="organization",
                root_directory=str(self.root),
            )
        )
        runtime_config.set_all_config(dict(self.config), list(self.secret_keys))
        with _event_loop() as loop, contextlib.redirect_stdout(printed), _collection_paused():
            if traced:
                loop.set_task_factory(_tracing(self.root))
            loop.run_until_complete(run_in_stack(self._and_settle))

    def _and_settle(self) -> None:
        self.program()
        # Among the requests, of which the SDK awaits the first one last: before it turns to the open outputs itself.
        runtime_settings.SETTINGS.rpc_manager.rpcs.insert(0, asyncio.ensure_future(_settled()))

    def _user_error(self, error: BaseException, traced: bool) -> Exception:
        """The error in words: with file and line, or the message alone where it was meant for a person."""
        # The SDK may give an error as its own cause.
        while not isinstance(error, pulumi.RunError) and not hasattr(error, "origin"):
            if error.__cause__ in (None, error):
                break
            error = error.__cause__
        if isinstance(error, pulumi.RunError):
            return UserError(*str(error).splitlines())
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, self.root)]
        where = SourcePosition(_relative(frames[-1].filename, self.root), frames[-1].lineno or 0) if frames else None
        where = where or getattr(error, "origin", None)
        if where is None and not traced:
            return _Unplaced()
        text = f"{type(error).__name__}: {error}"
        code = [f"    {frames[-1].line}"] if frames and frames[-1].line else []
        return UserError(f"{where}: {text}" if where else f"The program failed: {text}", *code)


async def _settled() -> None:
    """Until no output is open, or something failed, which the SDK then finds where it looks for it.

    The SDK's own wait looks at all open outputs each time one ends; here each is looked at once.
    """
    settings = runtime_settings.SETTINGS
    while settings.outputs and settings.rpc_manager.unhandled_exception is None:
        # A request that fails need not end an output: hence the second look.
        done, _ = await asyncio.wait(list(settings.outputs), timeout=5, return_when=asyncio.FIRST_EXCEPTION)
        if any(output.cancelled() or output.exception() for output in done):
            return


def _is_own(file: str, root: Path) -> bool:
    """Whether a file is the program's: below the project, neither a library nor this command."""
    path = Path(file)
    if not path.is_relative_to(root):
        return False
    parts = path.relative_to(root).parts
    return parts[0] != "runbook" and "site-packages" not in parts


def _relative(file: str, root: Path) -> str:
    return Path(file).relative_to(root).as_posix()


#: The program's line that started what is going on now; kept only in a traced run.
_ORIGIN: contextvars.ContextVar[SourcePosition | None] = contextvars.ContextVar("origin", default=None)


def _tracing(root: Path) -> Callable[..., asyncio.Task[Any]]:
    """A task factory that remembers which line of the program started a task, and marks its exceptions with it."""

    def position() -> SourcePosition | None:
        frame = sys._getframe(2)
        while frame.f_back and frame.f_code.co_filename != __file__:
            if _is_own(frame.f_code.co_filename, root):
                return SourcePosition(_relative(frame.f_code.co_filename, root), frame.f_lineno)
            frame = frame.f_back
        return None

    async def marked(coroutine: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await coroutine
        except Exception as error:
            if not hasattr(error, "origin"):
                error.origin = _ORIGIN.get()  # type: ignore[attr-defined]  # read again in _user_error
            raise

    def factory(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        context = options.pop("context", None) or contextvars.copy_context()
        started_at = position()
        if started_at:
            context.run(_ORIGIN.set, started_at)
        return asyncio.Task(marked(coroutine), loop=loop, context=context, **options)

    return factory


@contextlib.contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A fresh loop a capture: futures of one must never reach another."""
    try:
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    except ImportError:
        loop = asyncio.new_event_loop()
    loop.set_default_executor(_Inline())
    # After a failure the SDK leaves futures unread; what they hold is already in the error that is raised.
    loop.set_exception_handler(lambda _loop, _context: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        asyncio.set_event_loop(None)


@contextlib.contextmanager
def _collection_paused() -> Iterator[None]:
    """The collector would walk the SDK's many futures again and again while none of them can be freed.

    After the first capture it would walk the SDK's modules, which came with it and stay: they are set aside, with what
    that one capture leaves. What later ones leave is collected.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():
                gc.freeze()
            gc.enable()


def _in_order(resources: Mapping[str, Resource]) -> tuple[Resource, ...]:
    """Everything after what it depends on; equals by URN, so that two runs give the same bytes.

    The order of the requests is not kept: the SDK walks sets while it resolves them.
    """
    waiting: dict[str, int] = {}
    followers: dict[str, list[str]] = {}
    for urn, resource in resources.items():
        provider = (resource.provider or "").rpartition("::")[0]
        before = ({*resource.dependencies, resource.parent or "", provider} & resources.keys()) - {urn}
        waiting[urn] = len(before)
        for other in before:
            followers.setdefault(other, []).append(urn)
    ready = [urn for urn, count in waiting.items() if not count]
    heapq.heapify(ready)
    ordered: list[Resource] = []
    while ready:
        urn = heapq.heappop(ready)
        ordered.append(resources[urn])
        for follower in followers.get(urn, ()):
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, follower)
    return tuple(ordered)


def _fidelity(resources: tuple[Resource, ...]) -> Fidelity:
    """Counts the properties of custom resources; one that holds an unknown anywhere inside is unknown."""
    total, unknown = 0, []
    for resource in resources:
        if not resource.custom or resource.type.startswith("pulumi:providers:"):
            continue
        for key, value in resource.outputs.items():
            total += 1
            if holds_unknown(value):
                unknown.append(f"{resource.urn}#{key}")
    return Fidelity(known=total - len(unknown), total=total, unknown=tuple(unknown))


def config_value(config: Mapping[str, str], key: str) -> Any:
    """A configuration value with JSON undone; None where it is missing."""
    raw = config.get(key)
    if raw is None:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw
