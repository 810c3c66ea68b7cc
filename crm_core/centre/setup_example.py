"""The example that `zuoxi import setup --help` prints: every section and key, and what it means."""

EXAMPLE = """\
# A whole centre in one file. Import it as often as you like: what is there already stays, what
# differs is changed, what this file does not name is left alone. A list that is named (roles,
# queues, projects of a person) is the whole list.

# The PBX of everything below that does not name another: the name at the end of its entry in
# ZUOXI_PBX_URLS.
pbx: main

# A project is one client under one contract. Exactly one is the default: it takes the calls of
# numbers and queues that are nobody's.
projects:
  - name: 家电售后
    client: 海星电器
    default: true
  - name: 会员热线
    client: 蓝鲸商城
    keep_recordings_days: 180 # older recordings of its calls are deleted; without it none are

# `name` is the queue's name in Asterisk, `title` what people read.
queues:
  - name: support
    title: 报修
    project: 家电售后
    strategy: rrmemory        # ringall, rrmemory, leastrecent, fewestcalls, random, linear
    ring_seconds: 15          # how long one phone rings before the next one does
    max_wait_seconds: 300     # then the caller leaves the queue
    wrap_up_seconds: 30
    max_callers: 0            # 0: no limit
    weight: 0                 # a heavier queue goes first to agents of both
    announce_position: false
    missed_rings: 1           # so many missed in a row take an agent out until he says he is back
    recording: announced      # never (the default), always; announced: only who was told is recorded
    announcement: beep        # the sound that tells, before the queue: Asterisk's own, or yours
  - name: members
    title: 会员服务
    project: 会员热线

# Calls that come to no queue, by direction: internal, outbound.
recording:
  - direction: internal
    recording: never
  - direction: outbound
    recording: announced
    announcement: beep

# The numbers that callers dial, as they arrive; without `project` that of the queue.
hotlines:
  - number: "4008001234"
    name: 海星售后热线
    greeting: 您好，海星电器售后服务，请问有什么可以帮您？
    queue: support
    priorities: {A: 20, B: 10}  # by the customer's grade: a higher one waits before a lower one
    last_agent_days: 30         # who talked with the caller within these days is rung first, if ready
  - number: "02161234567"
    name: 蓝鲸会员热线
    greeting: 您好，蓝鲸商城会员服务。
    project: 会员热线
    queue: members

teams:
  - name: 华东一班
    project: 家电售后
    region: 华东

# Places with a phone. `interface` is what Asterisk rings (default PJSIP/<extension>). A phone that
# registers needs `secret`; one that does not has a fixed `contact` instead.
seats:
  - extension: "8001"
    secret: change-this-Secret-8001
  - extension: "8002"
    interface: PJSIP/8002
    contact: sip:8002@192.0.2.12:5060

# Preset roles: agent, outbound_caller, supervisor, admin. Without `password` a one-time password is
# made for a new person and printed; of somebody who is there already the password never changes.
people:
  - name: limin
    full_name: 李敏
    agent_number: "1001"
    roles: [agent]
    team: 华东一班
    queues: [support, members]
    extension: "8001"         # the usual seat; sign-in may take another
  - name: wangfang
    full_name: 王芳
    agent_number: "2001"
    roles: [supervisor]
    team: 华东一班
    projects: [会员热线]      # beside the team's
    language: zh_CN           # or en

# Fields of the customer's file beside the built-in ones (name, phones, grade, company, address,
# contacts, remark), whose labels and roles can be set here as well, by their key. Without
# `read_roles` everybody reads the field who reads customers; an empty list is nobody.
customer_fields:
  - key: contract
    zh: 合同号
    en: Contract
    kind: text                # text, number, date, choice
  - key: risk
    zh: 风险等级
    en: Risk
    kind: choice
    choices: [低, 中, 高]
    on_pop: false
    read_roles: [supervisor, admin]
    write_roles: [supervisor]

# What an agent may pause for. 小休, 用餐, 培训, 会议 are there from the start; `active: false` takes
# one off the list.
pause_reasons:
  - code: coaching
    zh: 辅导
    en: Coaching
  - code: training
    zh: 培训
    en: Training
    active: false

# How a call ended in business words; `digit` 1-9 is the key on the desk. With `parent` it stands
# below a heading, which no call ends with (two levels). A project that names none begins with
# 已解决, 待跟进, 骚扰, 无声, 错号.
dispositions:
  - project: 会员热线
    key: renewed
    zh: 已续会
    en: Renewed
    digit: 1
  - project: 会员热线
    key: declined
    zh: 未续会
    en: Declined
  - project: 会员热线
    key: price
    zh: 价格太高
    en: Too expensive
    digit: 2
    parent: declined
  - project: 会员热线
    key: later
    zh: 以后再说
    en: Maybe later
    digit: 3
    parent: declined
"""
