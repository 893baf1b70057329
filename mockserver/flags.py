"""Flags that are also variables and names in a file.

A flag wins over its variable `NOVITA_MOCK_<FLAG>`, the variable over the file, the file over the default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from mockserver.settings import ENV_PREFIX

CONFIG_NAME = "novita-mock.yaml"


def flag(*declarations: str, **attributes: Any) -> Callable[[Any], Any]:
    """A `click.option` that also reads the variable named after its flag: `--illegal-word`, NOVITA_MOCK_ILLEGAL_WORD.

    Args:
        declarations: as for `click.option`; one of them is a long flag.
        attributes: as for `click.option`.
    """
    long = next(text for text in declarations if text.startswith("--")).partition("/")[0]
    shown: dict[str, Any] = {"show_envvar": True, "show_default": True, **attributes}
    return click.option(*declarations, envvar=f"{ENV_PREFIX}_{_words(long)}", **shown)


def variables(command: click.Command) -> list[str]:
    """Every variable that a command's flags read."""
    return [option.envvar for option in command.params if isinstance(option.envvar, str)]


def read_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Makes a file's values the defaults of the flags; the callback of an eager `--config`.

    Raises:
        click.BadParameter: the file cannot be read, or names a setting that there is not.
    """
    del param
    path = Path(value) if value else Path(CONFIG_NAME)
    if not value and not path.exists():
        return None
    given = _loaded(path)
    options = dict(_by_flag(ctx.command))
    passed_over: frozenset[str] = getattr(ctx.command, "passed_over", frozenset())
    unknown = sorted(given.keys() - options.keys() - passed_over)
    if unknown:
        raise click.BadParameter(f"{path}: unknown setting {', '.join(unknown)}; known: {', '.join(sorted(options))}")
    defaults = dict(ctx.default_map or {})
    for name, setting in given.items():
        if setting is None:
            raise click.BadParameter(f"{path}: {name} has no value; give one, or leave the line out")
        option = options.get(name)
        if option is None:  # a setting of the server that this command has no use for
            continue
        several = option.multiple and not isinstance(setting, list)
        defaults[option.name or name] = [setting] if several else setting
    ctx.default_map = defaults
    return str(path)


def _loaded(path: Path) -> dict[str, Any]:
    import yaml  # not every start has a file

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"cannot read {path}: {error}") from None
    except yaml.YAMLError as error:
        raise click.BadParameter(f"{path} is not YAML: {error}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, Mapping):
        raise click.BadParameter(f"{path}: expected settings as 'name: value' lines")
    return {str(name).replace("_", "-"): setting for name, setting in loaded.items()}


def _by_flag(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    """The options that a file may set, by the word of their flag."""
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "config":
            yield max(option.opts, key=len).removeprefix("--"), option


def _words(long: str) -> str:
    return long.removeprefix("--").replace("-", "_").upper()
