"""The reference of the cold start: imports fastapi, uvicorn and sqlalchemy, and serves /healthz."""

from __future__ import annotations

import sys

import sqlalchemy.ext.asyncio
import sqlalchemy.orm
import uvicorn
import uvloop
from fastapi import FastAPI

application = FastAPI()


@application.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok", "sqlalchemy": sqlalchemy.__version__}


def main() -> None:
    config = uvicorn.Config(
        application, port=int(sys.argv[1]), loop="none", log_level="warning", lifespan="off"
    )
    uvloop.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
