"""The plugin of kubectl as a user runs it, against a stand-in for the API whose objects the operator wrote.

Not here: any expectation.
"""

from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner
from mlmodel_cli.plugin import app

from tests.cli.support.api_server import ApiServer
from tests.operator.support.model_lifecycle import ModelLifecycle


@dataclass
class Screen:
    """What the program shows of the server's objects."""

    server: ApiServer
    kubeconfig: Path
    story: ModelLifecycle
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code, and what is printed."""
        environment = {"KUBECONFIG": str(self.kubeconfig), "COLUMNS": "120", **self.variables}
        done = CliRunner().invoke(app, words, env=environment)
        return done.exit_code, done.output

    def shown(self, *words: str) -> str:
        """What is printed by a command that ends well."""
        code, output = self.run(*words)
        assert code == 0, output
        return output
