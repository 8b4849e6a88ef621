"""The application: every route, every refusal, and the document that describes them."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from innkeeper import __version__
from innkeeper.api.declare import asked_models
from innkeeper.api.front import Front
from innkeeper.api.parts import ApiParts
from innkeeper.api.problems import problem_response
from innkeeper.api.routes import (
    aliases,
    audits,
    claims,
    cordons,
    history,
    host,
    metrics,
    moves,
    service,
    service_record,
)
from innkeeper.api.wrong_words import refusal_of
from innkeeper.errors import BadRequest, InnkeeperError, NotFound, WrongMethod

_DESCRIPTION: Final = (
    "What this host has, who holds it, and whether the next guest fits. Sizes are MiB unless a name "
    "says otherwise; times are RFC 3339 in UTC. Refusals are problem details with a stable `code`."
)


def build_app(parts: ApiParts) -> FastAPI:
    """The application around one tracker; scopes must carry the `peer`."""
    app = _App(
        title="innkeeper",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        exception_handlers={
            InnkeeperError: _refuse,
            HTTPException: _refuse_route,
            RequestValidationError: _refuse_words,
        },
    )
    app.state.parts = parts
    # One flat list, claims first: an included router would match each of its routes twice.
    for routes in (
        claims,
        moves,
        host,
        aliases,
        cordons,
        audits,
        history,
        metrics,
        service,
        service_record,
    ):
        app.router.routes.extend(routes.router.routes)
    return app


class _App(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        """Only the layers that do something here; each costs every request a few microseconds.

        Failures are the front's to answer, bodies are limited where they are read.
        """
        routed = AsyncExitStackMiddleware(self.router)
        return Front(ExceptionMiddleware(routed, handlers=self.exception_handlers))

    def openapi(self) -> dict[str, Any]:
        """The framework's document, with the models that endpoints read by themselves."""
        if self.openapi_schema is None:
            document = super().openapi()
            _, asked = models_json_schema(
                [(model, "validation") for model in asked_models],
                ref_template="#/components/schemas/{model}",
            )
            schemas = document["components"]["schemas"]
            document["components"]["schemas"] = {**asked["$defs"], **schemas}
        return self.openapi_schema or {}


async def _refuse(_: Request, error: Exception) -> Response:
    return (
        problem_response(error) if isinstance(error, InnkeeperError) else Response(status_code=500)
    )


async def _refuse_route(request: Request, error: Exception) -> Response:
    """The router's own refusals: no such path, or not with this method."""
    path, method = request.url.path, request.method
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return problem_response(
            NotFound(f"there is nothing at {path}; /v1/openapi.json lists what is here", path=path)
        )
    if status == 405:
        return _refuse_method(error, path, method)
    return problem_response(BadRequest(f"{method} {path} is refused ({status})", path=path))


def _refuse_method(error: Exception, path: str, method: str) -> Response:
    headers = (error.headers or {}) if isinstance(error, HTTPException) else {}
    allowed = headers.get("Allow", "")
    response = problem_response(
        WrongMethod(f"{method} is not for {path}; allowed is {allowed}", path=path, allowed=allowed)
    )
    response.headers["Allow"] = allowed
    return response


async def _refuse_words(_: Request, error: Exception) -> Response:
    """A path or query parameter that is wrong; the part of the request is no part of its name."""
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    named = [{**one, "loc": one["loc"][1:]} for one in found]
    return problem_response(refusal_of(named))
