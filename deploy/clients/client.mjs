// Reserves one training run, then commits it: a client for Node. See README.md.

import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [address = "127.0.0.1:50051", protos = "proto"] = process.argv.slice(2);

// 64-bit amounts do not fit JavaScript's numbers, so they are texts.
const definition = loader.loadSync("quotad/v1/quota_service.proto", { includeDirs: [protos], longs: String, enums: String, oneofs: true });
const { QuotaService } = grpc.loadPackageDefinition(definition).quotad.v1;

// All replicas behind one name take turns, and what could not be delivered is sent once more. A repeat is safe because every
// write below carries an id.
const serviceConfig = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{ service: "quotad.v1.QuotaService" }],
      retryPolicy: { maxAttempts: 3, initialBackoff: "0.05s", maxBackoff: "1s", backoffMultiplier: 2, retryableStatusCodes: ["UNAVAILABLE"] },
    },
  ],
};
const client = new QuotaService(address, grpc.credentials.createInsecure(), { "grpc.service_config": JSON.stringify(serviceConfig) });
const call = (method, request) => promisify(client[method].bind(client))(request, new grpc.Metadata(), { deadline: Date.now() + 2000 });

const reservationId = randomUUID();
const answer = await call("Reserve", {
  tenant: "tenants/ai",
  reservationId,
  charges: [{ account: "tenants/ai/users/node", meter: "training.runs", amount: "1" }],
  ttl: { seconds: 60 },
});
if (answer.outcome === "denied") {
  // A denial is an answer and not an error: it says which limit is in the way.
  console.error(`denied: ${answer.denied.message}`);
  process.exitCode = 1;
} else {
  console.log(`held until ${new Date(Number(answer.granted.expireTime.seconds) * 1000).toISOString()}`);
  // ... the work ...
  await call("Commit", { tenant: "tenants/ai", reservationId, requestId: randomUUID() });
  console.log("committed");
}
client.close();
