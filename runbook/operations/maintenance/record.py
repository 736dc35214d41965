"""Who put the page on, and until when: a parameter of the account, so that everybody's next command knows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ...errors import UserError
from ..aws import error_code, spoken
from ..restore.moments import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A maintenance that was begun. ``by``: ARN of who asked for this end last; ``since`` and ``until``: UTC stamps.

    ``told``: the end that was announced last, empty as long as nothing was; ``override``: why the change calendar was
    not heeded.
    """

    by: str
    since: str
    until: str
    told: str = ""
    override: str = ""

    @property
    def ends(self) -> datetime:
        return moment(self.until)


@dataclass(frozen=True, slots=True)
class Records:
    """The record, in the SSM parameter ``name``."""

    ssm: Any
    name: str

    def read(self) -> Record | None:
        """None where no maintenance was begun. Raises UserError where the parameter is no record."""
        from botocore.exceptions import ClientError

        with spoken("ssm:GetParameter"):
            try:
                text = self.ssm.get_parameter(Name=self.name)["Parameter"]["Value"]
            except ClientError as error:
                if error_code(error) != "ParameterNotFound":
                    raise
                return None
        try:
            return Record(**json.loads(text))
        except (TypeError, ValueError):
            raise UserError(
                f"The parameter {self.name} is no record of a maintenance.",
                f"Delete it (aws ssm delete-parameter --name {self.name}) and run the command again.",
            ) from None

    def arguments(self, record: Record) -> dict[str, Any]:
        """Of the call that writes it."""
        return {
            "Name": self.name,
            "Description": "The maintenance page: who put it on, and until when",
            "Overwrite": True,
            "Type": "String",
            "Value": json.dumps(asdict(record), sort_keys=True),
        }

    def write(self, record: Record) -> None:
        with spoken("ssm:PutParameter"):
            self.ssm.put_parameter(**self.arguments(record))

    def delete(self) -> None:
        from botocore.exceptions import ClientError

        with spoken("ssm:DeleteParameter"):
            try:
                self.ssm.delete_parameter(Name=self.name)
            except ClientError as error:
                if error_code(error) != "ParameterNotFound":
                    raise
