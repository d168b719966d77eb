"""The same points priced by CloudKitty's ``hashmap`` module, in a Python of its own that has it installed.

Run as a script by ``bench.rating``: it imports nothing of ours. One mapping for each model and one threshold, without
its message bus and storage: pricing alone, in memory. Prints points and the seconds of the best run, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module


def main(points: int, runs: int) -> None:
    cloudkitty = import_module("cloudkitty.dataframe")
    module_of_rating = import_module("cloudkitty.rating.hash").HashMap
    cfg = import_module("oslo_config.cfg")
    cfg.CONF([], project="cloudkitty", default_config_files=[])
    cfg.CONF.set_override("connection", "sqlite:///", "database")
    import_module("cloudkitty.db.api").get_instance().get_migration().upgrade("head")
    api = module_of_rating.db_api
    api.get_migration().upgrade("head")
    service = api.create_service("gpu")
    field = api.create_field(service.service_id, "model")
    models = ("H100", "A100", "T4", "L4")
    for at, model in enumerate(models):
        api.create_mapping(
            cost=Decimal("2.49") + at, map_type="flat", value=model, field_id=field.field_id, created_by="bench"
        )
    api.create_threshold(level=Decimal(100), map_type="rate", cost=Decimal("0.9"), service_id=service.service_id)
    module = module_of_rating("tenant")
    module.reload_config()
    point, seconds, cpu = cloudkitty.DataPoint, [], []
    for _ in range(runs):
        frame = cloudkitty.DataFrame(
            start=datetime(2026, 1, 1, tzinfo=UTC),
            end=datetime(2026, 1, 1, 1, tzinfo=UTC),
            usage={
                "gpu": [
                    point("card-hour", Decimal(1), Decimal(0), {"owner": str(at % 200)}, {"model": models[at % 4]})
                    for at in range(points)
                ]
            },
        )
        started, started_cpu = time.perf_counter(), time.process_time()
        module.process(frame)
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - started_cpu)
    print(json.dumps({"points": points, "seconds": min(seconds), "cpu_seconds": min(cpu)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
