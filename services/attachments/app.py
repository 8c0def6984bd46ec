"""The attachments service put together: settings, connection, stores, requests, the keeper."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from contracts.attachments import requests
from contracts.attachments.requests import SERVICE
from services.attachments.allowance import Allowance
from services.attachments.downloads import Downloads
from services.attachments.keep import Keeper, subscribe
from services.attachments.settings import AttachmentsSettings
from services.attachments.uploads import Uploads
from services.guard.guard import start_guard
from services.runtime.events import Subscribers
from services.runtime.requests import Endpoint, Metrics, RequestService
from services.runtime.service import Context, serve

MAX_CONCURRENT = 64
"""Requests at once, each of which may hold a file of ten megabytes."""


@contextlib.asynccontextmanager
async def attachments(context: Context[AttachmentsSettings]) -> AsyncIterator[None]:
    """Answers requests and keeps the files of tickets while the body runs."""
    settings = context.settings
    service = RequestService(
        context.nc,
        name=SERVICE,
        version=context.version,
        description="Files of messages: taken in, looked at, given out",
        refusals={},
        metrics=Metrics(context.registry),
        max_concurrent=min(settings.max_concurrent_requests, MAX_CONCURRENT),
        timeout_s=max(settings.request_timeout_s, settings.clamd_timeout_s + 5),
    )
    subscribers = Subscribers(SERVICE, context.registry, stop_timeout_s=settings.shutdown_timeout_s / 2)
    try:
        guard = await start_guard(context)
        allowance = Allowance(context.nc.jetstream(), bytes_per_hour=settings.upload_bytes_per_hour)
        uploads = Uploads(context.nc, guard, settings.scanner(), allowance)
        downloads = Downloads(context.nc, guard)
        subscribe(subscribers, Keeper(context.nc))
        await subscribers.start(context.nc)
        await service.start(
            [
                Endpoint(subject=requests.UPLOAD, request=requests.UploadChunk, handler=uploads.upload),
                Endpoint(
                    subject=requests.DOWNLOAD,
                    request=requests.DownloadAttachment,
                    handler=downloads.download,
                ),
                subscribers.endpoint(),
            ]
        )
        yield
        await subscribers.stop()
        await service.stop(timeout_s=settings.shutdown_timeout_s)
    finally:
        await context.cancel_tasks()


def main() -> int:
    """Run the service until it is told to stop; returns the exit code."""
    return serve(SERVICE, AttachmentsSettings, attachments)
