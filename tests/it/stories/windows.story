-- Windows: calendar periods of a zone, weeks, fiscal years, sliding windows and rates.

# S4.23: day, month and year are the tenant's calendar; the boundary instant belongs to the new period
clock 2040-12-31T20:00:00+01:00
apply installation
    meters: [{name: spend, unit: EUR}]
    tenants: [{name: tenants/acme, time_zone: Europe/Amsterdam}]
quota . spend day=10 month=100 year=1_000 -> applied 1
consume - users/u spend 10 -> committed 10
usage . spend -> day used 10 starts 2040-12-31T00:00:00+01:00 resets 2041-01-01T00:00:00+01:00 zone Europe/Amsterdam; month used 10 starts 2040-12-01T00:00:00+01:00 resets 2041-01-01T00:00:00+01:00; year used 10 starts 2040-01-01T00:00:00+01:00 resets 2041-01-01T00:00:00+01:00
clock 2040-12-31T23:59:59.999+01:00
reserve - users/u spend 1 -> denied . day SPENT limit 10 used 10 resets 2040-12-31T23:00:00Z
clock 2041-01-01T00:00:00+01:00
usage . spend -> day used 0; month used 0; year used 0 resets 2042-01-01T00:00:00+01:00
consume - users/u spend 10 -> committed 10
clock 2041-01-02T00:00:00+01:00
usage . spend -> day used 0; month used 10; year used 10

# S4.23: a day that loses or gains an hour is still one day
clock 2040-03-25T00:00:00+01:00
apply installation
    meters: [{name: spend, unit: EUR}]
    tenants: [{name: tenants/acme, time_zone: Europe/Amsterdam}]
quota . spend day=10 -> applied 1
usage . spend -> day starts 2040-03-24T23:00:00Z resets 2040-03-25T22:00:00Z
clock 2040-10-28T00:00:00+02:00
usage . spend -> day starts 2040-10-27T22:00:00Z resets 2040-10-28T23:00:00Z
consume - users/u spend 10 -> committed 10
-- 02:30 comes twice, and is the same day both times.
clock 2040-10-28T02:30:00+01:00
reserve - users/u spend 1 -> denied . day used 10
clock 2040-10-29T00:00:00+01:00
reserve - users/u spend 10 -> held 10

# S3.15: Friday 01:00 by the clock on the wall: weeks of 167 and 169 hours
clock 2040-03-22T12:00:00Z
apply
    meters: [{name: cost}]
    quotas: [{subject: tenants/acme/pools/-, meter: cost, limits: {cron: {amount: 10, cron: "0 1 * * FRI", zone: Europe/Amsterdam}}}]
usage pools/p cost -> cron starts 2040-03-16T01:00:00+01:00 resets 2040-03-23T01:00:00+01:00
clock 2040-03-23T00:00:00Z
-- 167 hours.
usage pools/p cost -> cron starts 2040-03-23T00:00:00Z resets 2040-03-29T23:00:00Z
clock 2040-10-26T00:00:00+02:00
usage pools/p cost -> cron starts 2040-10-18T23:00:00Z resets 2040-10-25T23:00:00Z
clock 2040-10-26T01:00:00+02:00
-- 169 hours.
usage pools/p cost -> cron starts 2040-10-25T23:00:00Z resets 2040-11-02T00:00:00Z

# S3.15: a skipped local time fires once, right after the gap; a doubled one once, at the first
clock 2040-03-24T12:00:00Z
apply
    meters: [{name: cost}]
    quotas: [{subject: tenants/acme/pools/-, meter: cost, limits: {cron: {amount: 10, cron: "30 2 * * *", zone: Europe/Amsterdam}}}]
usage pools/p cost -> cron starts 2040-03-24T02:30:00+01:00 resets 2040-03-25T01:00:00Z
clock 2040-03-25T01:00:00Z
usage pools/p cost -> cron starts 2040-03-25T03:00:00+02:00 resets 2040-03-26T02:30:00+02:00
clock 2040-10-28T00:00:00Z
usage pools/p cost -> cron starts 2040-10-27T02:30:00+02:00 resets 2040-10-28T02:30:00+02:00
clock 2040-10-28T02:30:00+02:00
consume - pools/p cost 10 -> committed 10
clock 2040-10-28T02:30:00+01:00
usage pools/p cost -> cron used 10 starts 2040-10-28T02:30:00+02:00 resets 2040-10-29T02:30:00+01:00

# A week, a month and a year with an anchor
clock 2040-03-15T12:00:00Z
apply
    meters: [{name: cost}]
    quotas:
      - subject: tenants/acme
        meter: cost
        limits:
          week: {amount: 10, anchor: "FRI 01:00"}
          month: {amount: 20, anchor: "15 06:00"}
          year: {amount: 30, anchor: "04-01"}
usage . cost -> week starts 2040-03-09T01:00:00Z resets 2040-03-16T01:00:00Z; month starts 2040-03-15T06:00:00Z resets 2040-04-15T06:00:00Z; year starts 2039-04-01T00:00:00Z resets 2040-04-01T00:00:00Z

# A rate drains evenly; a sliding window forgets bit by bit
clock 2040-05-01T00:00:00Z
apply
    meters: [{name: calls}, {name: mails}]
    quotas:
      - {subject: tenants/acme, meter: calls, limits: {rate: {amount: 60, length: 1m}}}
      - {subject: tenants/acme, meter: mails, limits: {sliding: {amount: 10, length: 1h}}}
consume - . calls 60 -> committed 60, available 0
usage . calls -> rate used 60 resets 2040-05-01T00:01:00Z
consume - . calls 1 -> denied rate SPENT limit 60
clock +10s
consume - . calls 11 -> denied rate SPENT remaining 10
consume - . calls 10 -> committed 10
consume - . mails 10 -> committed 10
clock +59m
consume - . mails 1 -> denied sliding SPENT limit 10 used 10
clock +3m
consume - . mails 1 -> committed 1

# What a sliding window has to forget depends on how much is asked
clock 2040-05-02T01:00:00Z
apply
    meters: [{name: mails}]
    quotas:
      - {subject: tenants/acme, meter: mails, limits: {sliding: {amount: 10, length: 1h}}}
consume - . mails 6 -> committed 6
clock 2040-05-02T01:30:30Z
consume - . mails 4 -> committed 4
usage . mails -> sliding used 10 resets 2040-05-02T02:01:00Z
consume - . mails 6 -> denied sliding SPENT resets 2040-05-02T02:01:00Z advice "wait until"
consume - . mails 7 -> denied sliding SPENT resets 2040-05-02T02:31:00Z
