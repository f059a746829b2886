-- Money by rate cards: the engine prices quantities, by what was in force when it was reserved.
-- 1_000_000 input tokens of gpt cost 2.00, so 1000 of them 0.002, which is 2000 of the meter's smallest unit.
apply
    meters:
      - {name: llm.cost, unit: CNY, decimals: 6, admission: positive}
      - {name: tool.cost, unit: CNY, decimals: 2}
      - {name: plain.cost, unit: CNY, decimals: 2}
    quotas:
      - {subject: tenants/acme/users/-, meter: llm.cost, limits: {lifetime: "1.00"}}
      - {subject: tenants/acme/users/-, meter: tool.cost, limits: {lifetime: "1.00"}}
    rate_cards:
      - meter: llm.cost
        from: 2040-01-01T00:00:00Z
        prices:
          - {item: gpt, per: 1_000_000, components: {input: "2.00", cached_input: "0.40", output: "8.00"}}
          - {item: opus, currency: USD, per: 1_000_000, components: {input: "10.00", output: "40.00"}}
          - {item: local, per: 1_000_000, components: {input: "2.00", output: "8.00"}}
          - {item: image, components: {call: "0.10"}}
        discounts:
          - {service: chat, item: gpt, factor: "0.5"}
          - {service: chat, item: local, factor: "0"}
        rates:
          - {currency: USD, since: 2040-01-01T00:00:00Z, rate: "7.10"}
          - {currency: USD, since: 2040-03-02T00:00:00Z, rate: "7.20"}
      - {meter: tool.cost, from: 2040-01-01T00:00:00Z, prices: [{item: search, components: {call: "0.015"}}]}

# S3.01, S3.03, S3.04: a conversation costs what its tokens cost, at once; the record has original, discount and final cost
reserve c1 users/u llm.cost item=gpt service=chat quantity.input=1000 quantity.output=500 -> held 3000, available 997_000
commit c1 users/u llm.cost item=gpt quantity.input=1000 quantity.cached_input=500 quantity.output=250 -> committed 2100, users/u llm.cost gpt service chat priced cached_input=500,input=1000,output=250 original 0.0042 discount 0.50 cost 0.0021, available 997_900
commit c1 users/u llm.cost item=gpt quantity.input=1000 quantity.cached_input=500 quantity.output=250 -> committed 2100 replayed
commit c1 users/u llm.cost item=gpt quantity.input=1000 quantity.cached_input=500 quantity.output=251 -> error FAILED_PRECONDITION RESERVATION_COMMITTED
commit c1 users/u llm.cost 2100 item=gpt -> committed 2100 replayed
kill
get c1 -> committed 2100, priced cached_input=500,input=1000,output=250 original 0.0042 discount 0.50 cost 0.0021
-- An estimate that was true.
reserve c2 users/u llm.cost item=gpt service=chat quantity.input=1000 -> held 1000
commit c2 -> committed 1000, priced input=1000 original 0.002 cost 0.001
-- The caller may still say an amount.
reserve c3 users/u llm.cost item=gpt service=chat quantity.input=1000 -> held 1000
commit c3 users/u llm.cost 700 item=gpt -> committed 700, cost 0.0007 original 0.00

# S3.05: the same model used by another service costs the original price
consume - users/u llm.cost item=gpt service=chat quantity.input=1000 -> committed 1000, discount 0.50 cost 0.001
consume - users/u llm.cost item=gpt service=api quantity.input=1000 -> committed 2000, discount 1.00 cost 0.002
consume - users/u llm.cost item=gpt quantity.input=1000 -> committed 2000, discount 1.00

# S3.06: prices of another currency go by the day's rate, which the record keeps; tools are charged by the call
clock 2040-03-01T23:59:59Z
consume - users/u llm.cost item=opus quantity.output=100 -> committed 28_400, exchange 7.10 original 0.0284
reserve c1 users/u llm.cost item=opus ttl=1h -> held 0
consume - users/u llm.cost item=image quantity.call=2 -> committed 200_000
clock 2040-03-02T00:00:00Z
consume - users/u llm.cost item=opus quantity.output=100 -> committed 28_800, exchange 7.20
commit c1 users/u llm.cost item=opus quantity.output=100 -> committed 28_400 overrun, exchange 7.10

# S3.07, S3.30: costs are exact; parts are rounded so that they come to the whole
reserve t1 users/u tool.cost item=search quantity.call=3 -> held 4
commit t1 users/u tool.cost item=search quantity.call=1 request=a part -> partly 2, held 2 cost 0.015
commit t1 users/u tool.cost item=search quantity.call=1 request=a part -> partly 2 replayed
commit t1 users/u tool.cost item=search quantity.call=1 request=b part -> partly 3, held 1 cost 0.03
commit t1 users/u tool.cost item=search quantity.call=1 -> committed 4, priced call=3 cost 0.045
commit t1 users/u tool.cost item=search quantity.call=1 -> committed 4 replayed
consume - users/u tool.cost item=search quantity.call=3 -> committed 4, cost 0.045
usage users/u tool.cost -> lifetime used 8

# S3.08: a new price acts on what is reserved after it, or committed after it where there was no reservation
clock 2040-04-01T10:00:00Z
reserve c1 users/u llm.cost item=gpt ttl=1h -> held 0
reserve c2 users/u llm.cost item=local ttl=1h -> held 0
apply
    rate_cards:
      - {meter: llm.cost, from: 2040-04-01T10:00:00Z, prices: [{item: gpt, per: 1_000_000, components: {input: "3.00"}}]}
clock +1s
consume - users/u llm.cost item=gpt quantity.input=1000 -> committed 3000
commit c1 users/u llm.cost item=gpt quantity.input=1000 quantity.output=100 -> committed 2800 overrun, original 0.0028
commit c2 users/u llm.cost item=local quantity.input=1000 -> committed 2000 overrun
commit lost users/u llm.cost item=gpt quantity.input=2000 -> committed 6000 late recovered, cost 0.006
commit lost users/u llm.cost item=gpt quantity.input=2000 -> committed 6000 replayed late recovered
-- What has no price is refused, never charged 0 by accident.
reserve - users/u llm.cost item=local -> error INVALID_ARGUMENT NO_RATE_CARD charges[0].item
reserve - users/u llm.cost 5 item=local -> error INVALID_ARGUMENT NO_RATE_CARD charges[0].item
check users/u llm.cost item=local quantity.input=1 + users/u llm.cost quantity.input=1 + users/u plain.cost quantity.call=1 -> error INVALID_ARGUMENT NO_RATE_CARD charges[0].quantities charges[1].quantities charges[2].quantities
consume - users/u llm.cost item=gpt quantity.output=1 -> error INVALID_ARGUMENT NO_RATE_CARD charges[0].quantities
commit never users/u llm.cost item=local quantity.input=1 -> error INVALID_ARGUMENT NO_RATE_CARD charges[0].quantities
-- Money that no item stands for is charged as before.
consume - users/u llm.cost 5 -> committed 5
consume - users/u plain.cost 5 item=anything -> committed 5

# S3.19: what is free is used with a balance of 0 or below, and is recorded
consume - users/u llm.cost item=image quantity.call=10 -> committed 1_000_000, available 0
reserve c1 users/u llm.cost item=gpt service=chat -> denied users/u lifetime SPENT limit 1_000_000
check users/u llm.cost item=local service=chat quantity.input=5 -> granted
reserve c2 users/u llm.cost item=local service=chat -> held 0
commit c2 users/u llm.cost item=local quantity.input=1_000_000 -> committed 0, priced input=1000000 original 2.00 discount 0.00 cost 0.00
consume c3 users/u llm.cost item=local service=chat quantity.output=1000 -> committed 0, original 0.008 cost 0.00
get c3 -> committed 0, priced output=1000 original 0.008
reserve c4 users/u llm.cost item=local service=api -> denied users/u SPENT
usage users/u llm.cost -> lifetime used 1_000_000 held 0

# S3.30: what was produced before it was stopped is charged; an answer that is made again is charged again
reserve c1 users/u llm.cost item=gpt quantity.output=1000 -> held 8000
commit c1 users/u llm.cost item=gpt quantity.output=100 -> committed 800
reserve c2 users/u llm.cost item=gpt quantity.output=1000 -> held 8000
commit c2 users/u llm.cost item=gpt quantity.output=900 -> committed 7200
reserve c3 users/u llm.cost item=gpt quantity.output=1000 -> held 8000
commit c3 users/u llm.cost item=gpt quantity.output=0 -> committed 0, cost 0.00
usage users/u llm.cost -> lifetime used 8000 held 0

# S4.09: costs are in the meter's currency; another one needs a rate
apply -> error INVALID_ARGUMENT CATALOG_INVALID rate_cards[0].rates
    meters: [{name: eur.cost, unit: EUR, decimals: 2}]
    rate_cards: [{meter: eur.cost, from: 2040-01-01T00:00:00Z, prices: [{item: m, currency: USD, components: {call: "1.00"}}]}]
apply
    meters: [{name: eur.cost, unit: EUR, decimals: 2}]
    rate_cards:
      - meter: eur.cost
        from: 2040-01-01T00:00:00Z
        prices: [{item: m, currency: USD, components: {call: "1.00"}}, {item: n, currency: EUR, components: {call: "1.00"}}]
        rates: [{currency: USD, since: 2041-01-01T00:00:00Z, rate: "0.9"}]
clock 2040-12-31T23:59:59Z
consume - users/u eur.cost item=m quantity.call=1 -> error INVALID_ARGUMENT NO_RATE_CARD charges[0].quantities
consume - users/u eur.cost item=n quantity.call=1 -> committed 100
consume - users/u eur.cost item=n quantity.call=-1 -> error INVALID_ARGUMENT INVALID_FIELD charges[0].quantities[call]
clock +1s
consume - users/u eur.cost item=m quantity.call=1 -> committed 90, exchange 0.90

# S3.08: a late commit keeps the price of its reservation, and corrects what the deadline charged
apply
    meters: [{name: job.cost, unit: CNY, decimals: 2, expiry: charge}]
    rate_cards: [{meter: job.cost, from: 2040-01-01T00:00:00Z, prices: [{item: job, components: {step: "0.105"}}]}]
clock 2041-05-01T00:00:00Z
reserve j1 users/u job.cost item=job quantity.step=10 ttl=1m -> held 105
clock +2m
get j1 -> expired 105
commit j1 users/u job.cost item=job quantity.step=3 -> committed 32 late, cost 0.315 priced step=3
usage users/u job.cost -> lifetime used 32

# A commit of what nobody knows is recorded by today's prices; without any it is refused, and never recorded as nothing
commit lost1 users/u llm.cost item=gpt quantity.output=1000 -> committed 8000 late recovered
commit lost2 users/u llm.cost item=none quantity.output=1000 -> error INVALID_ARGUMENT NO_RATE_CARD charges[0].quantities
apply
    accounts: [{name: tenants/acme/users/u, state: suspended}]
commit lost2 users/u llm.cost item=none quantity.output=1000 -> error INVALID_ARGUMENT NO_RATE_CARD charges[0].quantities
commit lost3 users/u llm.cost item=gpt quantity.output=1000 -> committed 8000 late recovered
reserve r1 users/u llm.cost item=none quantity.output=1000 -> denied users/u NOT_PERMITTED
usage users/u llm.cost -> lifetime used 16_000
