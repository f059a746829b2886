// Reserves one training run, then commits it: a client in Go. See README.md.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	quotadv1 "example/quotad/v1"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// All replicas behind one name take turns, and what could not be delivered is sent once more. A repeat is safe because every
// write below carries an id.
const serviceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{"service": "quotad.v1.QuotaService"}],
    "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]}
  }]
}`

func main() {
	address := "127.0.0.1:50051"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	quota := quotadv1.NewQuotaServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()

	reservation := uuid.NewString()
	answer, err := quota.Reserve(ctx, &quotadv1.ReserveRequest{
		Tenant:        "tenants/ai",
		ReservationId: reservation,
		Charges:       []*quotadv1.Charge{{Account: "tenants/ai/users/go", Meter: "training.runs", Amount: proto.Int64(1)}},
		Ttl:           durationpb.New(time.Minute),
	})
	if err != nil {
		log.Fatal(err)
	}
	// A denial is an answer and not an error: it says which limit is in the way.
	if denied := answer.GetDenied(); denied != nil {
		log.Fatalf("denied: %s", denied.GetMessage())
	}
	fmt.Printf("held until %s\n", answer.GetGranted().GetExpireTime().AsTime().Format(time.RFC3339))
	// ... the work ...
	_, err = quota.Commit(ctx, &quotadv1.CommitRequest{Tenant: "tenants/ai", ReservationId: reservation, RequestId: uuid.NewString()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("committed")
}
