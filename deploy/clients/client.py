"""Reserves one training run, then commits it: a client in Python. See README.md."""

import json
import sys
import uuid

import grpc
from google.protobuf.duration_pb2 import Duration
from quotad.v1 import charge_pb2, quota_service_pb2, quota_service_pb2_grpc

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"

# All replicas behind one name take turns, and what could not be delivered is sent once more. A repeat is safe because every
# write below carries an id.
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "quotad.v1.QuotaService"}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}

with grpc.insecure_channel(ADDRESS, options=[("grpc.service_config", json.dumps(SERVICE_CONFIG))]) as channel:
    quota = quota_service_pb2_grpc.QuotaServiceStub(channel)
    reservation = str(uuid.uuid4())
    answer = quota.Reserve(
        quota_service_pb2.ReserveRequest(
            tenant="tenants/ai",
            reservation_id=reservation,
            charges=[charge_pb2.Charge(account="tenants/ai/users/python", meter="training.runs", amount=1)],
            ttl=Duration(seconds=60),
        ),
        timeout=2,
    )
    # A denial is an answer and not an error: it says which limit is in the way.
    if answer.WhichOneof("outcome") == "denied":
        sys.exit(f"denied: {answer.denied.message}")
    print(f"held until {answer.granted.expire_time.ToJsonString()}")
    # ... the work ...
    quota.Commit(
        quota_service_pb2.CommitRequest(tenant="tenants/ai", reservation_id=reservation, request_id=str(uuid.uuid4())),
        timeout=2,
    )
    print("committed")
