"""Turns the table of resources into Starlette routes and into the control interface's own OpenAPI document."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import jsonschema_rs
import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from mockserver import __version__
from mockserver.control.access import WORLD, world_of
from mockserver.control.problem import MEDIA_TYPE, ControlError
from mockserver.control.resource import Call, Resource, Schema
from mockserver.logs import log
from mockserver.mock import Mock

PREFIX = "/__mock"
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_DETAIL = 1000
"""Characters of what a schema has to say of a value."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")

_SECURITY: Mapping[str, list[dict[str, list[str]]]] = {
    "required": [{"key": []}, {"world": []}],
    "optional": [{"key": []}, {"world": []}, {}],
    "none": [{}],
}

Endpoint = Callable[[Request], Awaitable[Response]]


class AnyMethod:
    """An endpoint that every method reaches, so that a wrong one is answered in our form.

    A function would be given to Starlette with a list of methods, and Starlette answers the others in its own words.
    """

    __slots__ = ("_respond",)

    def __init__(self, respond: Endpoint) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)


def control_router(mock: Mock, resources: Sequence[Resource]) -> Router:
    """The routes below `/__mock`, the document's included; anything else there is an unknown resource."""
    document = orjson.dumps(openapi_document(resources))

    async def openapi(request: Request) -> Response:
        del request
        return Response(document, media_type="application/json")

    async def unknown(request: Request) -> Response:
        if request.url.path == PREFIX:  # the page's own links are relative to the folder
            return RedirectResponse(f"{PREFIX}/", 308)
        return ControlError(
            404,
            "no-such-resource",
            f"no resource {request.method} {request.url.path}; {PREFIX}/openapi.json lists them all",
        ).response()

    by_path: dict[str, dict[str, Resource]] = {}
    for resource in resources:
        by_path.setdefault(resource.path, {})[resource.method] = resource
    routes: list[BaseRoute] = [Route("/openapi.json", openapi, methods=["GET"])]
    routes += [Route(path, AnyMethod(_endpoint(mock, methods))) for path, methods in by_path.items()]
    return Router(routes, redirect_slashes=False, default=AnyMethod(unknown))


def openapi_document(resources: Sequence[Resource]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the control interface."""
    paths: dict[str, dict[str, Any]] = {}
    for resource in resources:
        done: dict[str, Any] = {"description": "Done."}
        content: dict[str, Any] = {} if resource.answer is None else {"application/json": {"schema": resource.answer}}
        content.update({media: _shape(media) for media in resource.also})
        if content:
            done["content"] = content
        operation: dict[str, Any] = {
            "operationId": resource.operation_id,
            "summary": resource.summary,
            "responses": {
                "200": done,
                "default": {"$ref": "#/components/responses/Problem"},
            },
        }
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _path_names(resource.path)
        ]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in resource.query.items()]
        if parameters:
            operation["parameters"] = parameters
        if resource.body is not None:
            media = "application/octet-stream" if resource.binary else "application/json"
            needed = resource.binary or "required" in resource.body
            operation["requestBody"] = {"content": {media: {"schema": resource.body}}, "required": needed}
        operation["security"] = _SECURITY[resource.key]
        paths.setdefault(PREFIX + resource.path, {})[resource.method.lower()] = operation
    problem = {
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
        "required": ["type", "title", "status", "detail"],
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "novita-mock control interface",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "What a test asks of the mock itself. It acts on the world of the key it is called with.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "world": {
                    "type": "apiKey",
                    "in": "query",
                    "name": WORLD,
                    "description": "The id of a world that is there, in place of its key; for the inspector, from the "
                    "server's own page or no page at all.",
                },
            },
            "responses": {
                "Problem": {
                    "description": "The call cannot be done; `detail` says why and what to try.",
                    "content": {MEDIA_TYPE: {"schema": problem}},
                }
            },
        },
    }


def _shape(media: str) -> dict[str, Any]:
    """A text is a string; of a stream readers take each event by itself, which OpenAPI 3.1 has no word for."""
    return {} if media == "text/event-stream" else {"schema": {"type": "string"}}


def _endpoint(mock: Mock, methods: Mapping[str, Resource]) -> Endpoint:
    validators = {
        method: jsonschema_rs.validator_for(dict(resource.body))
        for method, resource in methods.items()
        if resource.body is not None and not resource.binary and resource.checked
    }

    async def endpoint(request: Request) -> Response:
        resource = methods.get("GET" if request.method == "HEAD" else request.method)
        try:
            if resource is None:
                return _wrong_method(request, methods)
            call = await _read_call(request, mock, resource, validators.get(resource.method))
            result = resource.handler(call)
            body = await result if inspect.isawaitable(result) else result
            if isinstance(body, Response):
                return body
            answer = orjson.dumps(body)
        except ControlError as error:
            return error.response()
        except Exception:  # our fault; the client gets our form all the same
            log.exception("control.failed", extra={"path": request.url.path})
            detail = "the mock failed; its log tells why. Please report it with the call"
            return ControlError(500, "internal", detail).response()
        return Response(answer, media_type="application/json")

    return endpoint


def _wrong_method(request: Request, methods: Mapping[str, Resource]) -> Response:
    allowed = ", ".join(methods)
    detail = f"{request.method} is not for {request.url.path}; it takes {allowed}"
    response = ControlError(405, "method", detail).response()
    response.headers["allow"] = allowed
    return response


async def _read_call(
    request: Request, mock: Mock, resource: Resource, validator: jsonschema_rs.Validator | None
) -> Call:
    world = None if resource.key == "none" else world_of(request, mock, required=resource.key == "required")
    raw = await _read_body(request) if resource.body is not None else b""
    body: Any = {}
    if raw and not resource.binary:
        try:
            body = orjson.loads(raw)
        except ValueError as error:
            raise ControlError(400, "body", f"the body is not JSON: {error}") from None
        _check_depth(body)
    if validator is not None:
        _check(body, validator)
    elif not isinstance(body, dict):
        raise ControlError(400, "body", f"expected an object, came {type(body).__name__}")
    return Call(
        mock=mock,
        world=world,
        path=request.path_params,
        query=_read_query(request, resource),
        body=body,
        raw=raw,
        headers=dict(request.scope["headers"]),
        base_url=mock.settings.public_base_url or f"{request.url.scheme}://{request.url.netloc}",
    )


def _check(body: object, validator: jsonschema_rs.Validator) -> None:
    try:
        problem = next(iter(validator.iter_errors(body)), None)
    except ValueError:  # it goes 255 levels down
        raise ControlError(400, "body", "the body is nested too deeply") from None
    if problem is not None:
        where = ".".join(str(part)[:80] for part in problem.instance_path) or "body"
        told = problem.message  # the value that came, whole, and what was expected
        if len(told) > MAX_DETAIL:
            told = f"{told[: MAX_DETAIL // 2]} ... {told[-MAX_DETAIL // 2 :]}"
        raise ControlError(400, "body", f"{where}: {told}")


def _check_depth(body: object) -> None:
    """Readers walk through a body, and quote what they refuse, on the stack; writing JSON ends at 254 levels."""
    try:
        orjson.dumps(body)
    except TypeError:
        raise ControlError(400, "body", "the body is nested too deeply") from None


async def _read_body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ControlError(413, "body", f"the body has more than {MAX_BODY_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _read_query(request: Request, resource: Resource) -> dict[str, Any]:
    values: dict[str, Any] = {}
    schemas = resource.query
    for name, text in request.query_params.items():
        if name == WORLD and resource.key != "none":
            continue
        schema = schemas.get(name)
        if schema is None:
            known = ", ".join(schemas) or "none"
            raise ControlError(400, "query", f"no query parameter {name!r} here; known: {known}")
        values[name] = _typed(name, text, schema)
    return values


def _typed(name: str, text: str, schema: Schema) -> object:
    match schema["type"]:
        case "integer":
            if not _INTEGER.fullmatch(text):
                raise ControlError(400, "query", f"{name}: expected an integer, came {text!r}")
            number = int(text)
            if not schema.get("minimum", number) <= number <= schema.get("maximum", number):
                raise ControlError(
                    400, "query", f"{name}: {number} is outside {schema.get('minimum')} to {schema.get('maximum')}"
                )
            return number
        case "boolean":
            if text not in ("true", "false"):
                raise ControlError(400, "query", f"{name}: expected true or false, came {text!r}")
            return text == "true"
        case _:
            if "enum" in schema and text not in schema["enum"]:
                raise ControlError(400, "query", f"{name}: expected one of {schema['enum']}, came {text!r}")
            return text


def _path_names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]
