-- Pools: accounts that others spend from, chosen by their members or joined by all that these do. And accounts that may not be charged.
clock 2040-03-01T10:00:00Z
apply
    meters:
      - {name: cost, unit: CNY, admission: positive, default_policy: deny}
      - {name: calls, unit: call}
    accounts:
      - {name: tenants/acme/users/ann, labels: {role: student}}
      - {name: tenants/acme/users/bob, labels: {role: student, year: "1"}}
      - {name: tenants/acme/users/eve, labels: {role: staff}}
    pools:
      - {account: tenants/acme/pools/students, meters: [cost], rule: {role: student}, items: {deny: [large]}}
      - {account: tenants/acme/pools/lab, meters: [cost, calls], members: [tenants/acme/users/ann], items: {allow: [large, small]}}
      - {account: tenants/acme/projects/p, meters: [calls], join: always, members: [tenants/acme/users/ann, tenants/acme/users/bob]}
    quotas:
      - {subject: tenants/acme/pools/students, meter: cost, limits: {lifetime: 100}}
      - {subject: tenants/acme/pools/lab, meter: cost, limits: {lifetime: 50}}
      - {subject: tenants/acme/projects/p, meter: calls, limits: {lifetime: 12}}
      - {subject: tenants/acme/users/-, meter: calls, limits: {lifetime: 10}}

# S3.20, S3.21: a user switches among pools; at once for what is new, and what is open stays where it was made
consume - users/ann cost 1 item=small -> denied users/ann NO_QUOTA
switch users/ann pools/students -> active pools/students
reserve r1 users/ann cost 10 item=small -> held 10
usage pools/students cost -> lifetime limit 100 held 10
usage users/ann cost -> lifetime limit none held 10
switch users/ann pools/lab -> active pools/lab
consume - users/ann cost 5 item=small -> committed 5
extend r1 users/ann cost 2 item=small request=e1 -> held 12
commit r1 users/ann cost 30 item=small -> committed 30 overrun
usage pools/students cost -> lifetime used 30 held 0
usage pools/lab cost -> lifetime used 5 held 0
-- The request may name the pool itself; then the chosen one is not asked.
consume - users/ann cost 7 item=small also=pools/students -> committed 7
usage pools/students cost -> lifetime used 37
usage pools/lab cost -> lifetime used 5
-- On a meter that it is no pool on, the choice says nothing.
switch users/ann pools/students -> active pools/students
consume - users/ann calls 1 -> committed 1
usage pools/students calls -> lifetime used 0
switch users/ann - -> active none
consume - users/ann cost 1 item=small -> denied users/ann NO_QUOTA

# S3.02: every pool has its own balance, and none lends to another
switch users/ann pools/lab -> active pools/lab
consume - users/ann cost 50 item=large -> committed 50
reserve - users/ann cost item=large -> denied pools/lab SPENT limit 50 used 50 remaining 0
usage pools/students cost -> lifetime used 0
usage users/ann cost -> lifetime used 50

# S3.09, S3.22: pools permit different items, and after a switch those of the new one
switch users/ann pools/lab -> active pools/lab
consume - users/ann cost 5 item=large -> committed 5
consume - users/ann cost 5 item=other -> denied pools/lab NOT_PERMITTED message "does not permit" advice "another item"
consume - users/ann cost 5 -> denied pools/lab NOT_PERMITTED
switch users/ann pools/students -> active pools/students
consume - users/ann cost 5 item=large -> denied pools/students NOT_PERMITTED limit none
consume - users/ann cost 5 item=other -> committed 5
-- The pool's own account is asked for its items as well.
consume - pools/lab cost 1 item=other -> denied pools/lab NOT_PERMITTED
consume - pools/lab cost 1 item=small -> committed 1

# S3.13: one balance for all students; no share of their own, unless a limit is set
switch users/ann pools/students -> active pools/students
switch users/bob pools/students -> active pools/students
consume - users/ann cost 60 -> committed 60
reserve - users/bob cost 41 -> denied pools/students SPENT limit 100 used 60
consume - users/bob cost 30 -> committed 30
quota users/bob cost lifetime=35
reserve - users/bob cost 6 -> denied users/bob SPENT limit 35 used 30
consume - users/bob cost 5 -> committed 5
usage pools/students cost -> lifetime used 95

# S3.12: a personal account is a pool of one; students' are disabled, staff's are not
apply
    pools:
      - {account: tenants/acme/personal/ann, meters: [cost], enabled: false, members: [tenants/acme/users/ann]}
      - {account: tenants/acme/personal/eve, meters: [cost], members: [tenants/acme/users/eve]}
    quotas: [{subject: tenants/acme/personal/-, meter: cost, limits: {cron: {amount: 50, cron: "0 1 * * FRI", zone: Asia/Shanghai}}}]
switch users/ann personal/ann -> error FAILED_PRECONDITION POOL_DISABLED pool
switch users/ann personal/eve -> error PERMISSION_DENIED NOT_A_MEMBER pool
switch users/eve personal/eve -> active personal/eve
consume - users/eve cost 50 -> committed 50
reserve - users/eve cost -> denied personal/eve SPENT limit 50 resets 2040-03-02T01:00:00+08:00
clock 2040-03-02T01:00:00+08:00
consume - users/eve cost 1 -> committed 1

# S3.10: members by list or by a rule over labels; who leaves has no right any more, and what was spent stays
switch users/ann pools/lab -> active pools/lab
switch users/bob pools/students -> active pools/students
consume - users/ann cost 3 item=small -> committed 3
consume - users/bob cost 4 -> committed 4
reserve h1 users/bob cost 5 -> held 5
apply
    accounts: [{name: tenants/acme/users/bob, labels: {role: alumnus}}]
    pools: [{account: tenants/acme/pools/lab, meters: [cost, calls], members: [{account: tenants/acme/users/ann, to: 2040-03-01T10:00:30Z}]}]
consume - users/bob cost 1 request=q1 -> denied pools/students NOT_A_MEMBER limit none advice "choose another pool"
consume - users/ann cost 1 -> committed 1
clock 2040-03-01T10:00:30Z
consume - users/ann cost 1 -> denied pools/lab NOT_A_MEMBER
usage pools/lab cost -> lifetime used 4
commit h1 -> committed 5
usage pools/students cost -> lifetime used 9
-- A membership may also begin later, and hold for all that is below an account.
apply
    pools: [{account: tenants/acme/pools/lab, meters: [cost, calls], members: [{account: tenants/acme/users/ann, from: 2040-03-01T10:01:00Z}]}]
consume - users/ann cost 1 -> denied pools/lab NOT_A_MEMBER
clock 2040-03-01T10:01:00Z
consume - users/ann/apps/x cost 1 -> committed 1
-- A remembered denial keeps its cause, whatever has become true.
apply
    accounts: [{name: tenants/acme/users/bob, labels: {role: student}}]
consume - users/bob cost 1 request=q1 -> denied replayed pools/students NOT_A_MEMBER
consume - users/bob cost 1 -> committed 1

# S3.23: an empty pool may be chosen, and says that it is empty; one's own right, and the pool's state, are asked
consume - pools/lab cost 50 item=small -> committed 50
switch users/ann pools/lab -> active pools/lab warning "has nothing left on cost"
reserve - users/ann cost item=small -> denied pools/lab SPENT
switch users/bob pools/lab -> error PERMISSION_DENIED NOT_A_MEMBER pool
switch users/bob pools/none -> error NOT_FOUND POOL_NOT_FOUND pool
switch users/bob projects/p -> error INVALID_ARGUMENT INVALID_FIELD pool
apply
    pools: [{account: tenants/acme/pools/lab, meters: [cost], enabled: false, members: [tenants/acme/users/bob]}]
switch users/bob pools/lab -> error FAILED_PRECONDITION POOL_DISABLED pool

# S3.24: the pool is enabled, then the account a member, then the item permitted, then the balance
quota pools/odd cost lifetime=0
apply
    pools: [{account: tenants/acme/pools/odd, meters: [cost], enabled: false, items: {deny: [x]}}]
check users/ann cost 1 item=x also=pools/odd -> denied pools/odd POOL_DISABLED
apply
    pools: [{account: tenants/acme/pools/odd, meters: [cost], items: {deny: [x]}}]
check users/ann cost 1 item=x also=pools/odd -> denied pools/odd NOT_A_MEMBER
apply
    pools: [{account: tenants/acme/pools/odd, meters: [cost], members: [tenants/acme/users/ann], items: {deny: [x]}}]
check users/ann cost 1 item=x also=pools/odd -> denied pools/odd NOT_PERMITTED
check users/ann cost 1 item=y also=pools/odd -> denied pools/odd SPENT limit 0

# S3.33: a disabled pool: no use and no switch; what is held is settled, and the balance stays readable
switch users/ann pools/lab -> active pools/lab
reserve h1 users/ann cost 5 item=small -> held 5
apply
    pools: [{account: tenants/acme/pools/lab, meters: [cost, calls], enabled: false, members: [tenants/acme/users/ann]}]
consume - users/ann cost 1 item=small -> denied pools/lab POOL_DISABLED message "is disabled"
consume - pools/lab cost 1 item=small -> denied pools/lab POOL_DISABLED
commit h1 users/ann cost 6 item=small -> committed 6 overrun
usage pools/lab cost -> lifetime limit 50 used 6

# S3.34: at the same moment no more is granted than the balance has
switch users/ann pools/students -> active pools/students
switch users/bob pools/students -> active pools/students
consume - users/bob cost 55 -> committed 55
race 30 reserve - users/ann cost 4 -> granted 11 denied 19
usage pools/students cost -> lifetime used 55 held 44

# S0.40, S0.41: a project counts what its members do, beside their own limits; who leaves it leaves behind what was used
consume - users/ann calls 9 -> committed 9
reserve - users/ann calls 2 -> denied users/ann SPENT limit 10 used 9
reserve - users/bob calls 4 -> denied projects/p SPENT limit 12 used 9
reserve h1 users/bob calls 2 -> held 2
consume - users/eve calls 1 -> committed 1
usage projects/p calls -> lifetime used 9 held 2
apply
    pools: [{account: tenants/acme/projects/p, meters: [calls], join: always, members: [tenants/acme/users/bob]}]
consume - users/ann calls 1 -> committed 1
usage projects/p calls -> lifetime used 9 held 2
commit h1 -> committed 2
usage projects/p calls -> lifetime used 11
usage users/ann calls -> lifetime used 10
-- Naming it does not help who is no member; a member who names it is counted once.
consume - users/ann calls 1 also=projects/p -> denied projects/p NOT_A_MEMBER
consume - users/bob calls 1 also=projects/p -> committed 1
usage projects/p calls -> lifetime used 12

# S0.40: a suspended or closed account is not charged, nor what is below it; what is held is settled
reserve h1 users/ann/apps/x calls 2 -> held 2
apply
    accounts: [{name: tenants/acme/users/ann, state: suspended}, {name: tenants/acme/projects/p, state: closed}]
consume - users/ann/apps/x calls 1 -> denied users/ann NOT_PERMITTED
consume - users/bob calls 1 -> denied projects/p NOT_PERMITTED
commit h1 -> committed 2
apply
    accounts: [{name: tenants/acme/users/ann}, {name: tenants/acme/projects/p}]
consume - users/ann/apps/x calls 1 -> committed 1

# S0.07: where a tenant registers its accounts, an unknown one is an error, not a denial
apply
    account_policy: registered
    accounts: [{name: tenants/acme/users/ann}]
consume - users/zoe calls 1 also=users/ann,teams/t -> error NOT_FOUND ACCOUNT_NOT_FOUND charges[0].account charges[0].also[1]
check users/zoe calls 1 -> error NOT_FOUND ACCOUNT_NOT_FOUND charges[0].account
consume - users/ann calls 1 also=projects/p -> committed 1
consume - . calls 1 -> committed 1
quota users/zoe calls lifetime=5 -> error INVALID_ARGUMENT CATALOG_INVALID quotas[0].subject message "there is no record of"
apply
    accounts: [{name: tenants/acme/users/zoe}]
quota users/zoe calls lifetime=5 -> applied 1
consume - users/zoe calls 5 -> committed 5

# S3.24: a pool that lies in another one lets in what both let in, and spends from both
apply
    pools:
      - {account: tenants/acme/pools/lab/rooms/r, meters: [cost], members: [tenants/acme/users/ann, tenants/acme/users/bob]}
switch users/ann pools/lab/rooms/r -> active pools/lab/rooms/r
switch users/bob pools/lab/rooms/r -> active pools/lab/rooms/r
consume - users/ann cost 5 item=small -> committed 5
usage pools/lab/rooms/r cost -> lifetime used 5
usage pools/lab cost -> lifetime used 5
consume - users/ann cost 5 item=other -> denied pools/lab NOT_PERMITTED
consume - users/bob cost 5 item=small -> denied pools/lab NOT_A_MEMBER

# S3.21: what is chosen further below counts where it means something; elsewhere what was chosen above stands
switch users/ann pools/lab -> active pools/lab
switch users/ann/apps/x pools/students -> active pools/students
consume - users/ann/apps/x cost 3 -> committed 3
usage pools/students cost -> lifetime used 3
consume - users/ann/apps/x calls 2 item=small -> committed 2
usage pools/lab calls -> lifetime used 2
