"""The generated files of Asterisk as Jinja2 templates; `telephony.dialplan` fills and writes them.

`SITE_FILES` belong to the machine and are made once, when it is set up; `PLAN_FILES` are what pages and
set-up files change, rendered from the `SwitchPlan` alone. Sections marked `(+)` add to one of
`asterisk_conf/`, which includes these files last. Every value passes `dialplan`'s escaping; the names
in capitals are constants of that module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    template: str
    module: str | None = None
    """What `Reload` calls the reader of this file."""
    at_start_only: bool = False
    part_of: str | None = None
    """Plan files: the file of `asterisk_conf/` that includes it; Asterisk's parser reads them as one."""


SITE_FILES: Final[Mapping[str, Generated]] = {
    "zuoxi-asterisk.conf": Generated(
        at_start_only=True,
        template="""\
systemname = {{ site.system_name }}
""",
    ),
    "zuoxi-manager.conf": Generated(
        module="manager",
        template="""\
[general](+)
bindaddr = {{ site.ami_address }}
port = {{ site.ami_port }}
{% for account, secret in ((EVENTS, site.events_secret), (CONTROL, site.control_secret)) %}

[{{ account }}](+)
secret = {{ secret }}
{% for network in site.ami_clients %}
permit = {{ network }}
{% endfor %}
{% endfor %}
""",
    ),
    "zuoxi-rtp.conf": Generated(
        module="res_rtp_asterisk",
        template="""\
rtpstart = {{ site.rtp_ports[0] }}
rtpend = {{ site.rtp_ports[1] }}
""",
    ),
    "zuoxi-pjsip.conf": Generated(
        module="res_pjsip",
        template="""\
[zuoxi-udp]
type = transport
protocol = udp
bind = {{ site.sip_address }}:{{ site.sip_port }}
{% if site.trunk_addresses %}

[zuoxi-trunk]({{ TRUNK_TEMPLATE }})
transport = zuoxi-udp
{% if site.gateway %}
aors = zuoxi-trunk

[zuoxi-trunk]
type = aor
contact = sip:{{ site.gateway }}
{% endif %}

[zuoxi-trunk]
type = identify
endpoint = zuoxi-trunk
{% for network in site.trunk_addresses %}
match = {{ network }}
{% endfor %}
{% endif %}
""",
    ),
    "zuoxi-globals.conf": Generated(
        module="pbx_config",
        template="""\
[globals](+)
{{ ANSWER_FIRST }} = {{ "yes" if site.answer_first else "no" }}
{{ DISPLAY_NUMBER }} = {{ site.display_number }}
{% if site.gateway %}

[{{ NUMBERS }}](+)
{% for pattern in site.numbers %}
exten => _{{ pattern }},1,Gosub({{ DIAL_OUT }},${EXTEN},1)
{% endfor %}
{% endif %}
""",
    ),
}

PLAN_FILES: Final[Mapping[str, Generated]] = {
    "zuoxi-seats.conf": Generated(
        module="res_pjsip",
        part_of="pjsip.conf",
        template="""\
{% for seat in plan.seats %}

[{{ endpoint_of(seat) }}]({{ SEAT_TEMPLATE }})
transport = zuoxi-udp
aors = {{ endpoint_of(seat) }}
callerid = {{ seat.extension }}
{% if seat.secret %}
auth = {{ endpoint_of(seat) }}
{% endif %}

[{{ endpoint_of(seat) }}]({{ AOR_TEMPLATE }})
{% if seat.contact %}
contact = {{ seat.contact }}
{% endif %}
{% if seat.secret %}

[{{ endpoint_of(seat) }}]({{ AUTH_TEMPLATE }})
username = {{ endpoint_of(seat) }}
password = {{ seat.secret }}
{% endif %}
{% endfor %}
""",
    ),
    "zuoxi-queues.conf": Generated(
        module="app_queue",
        part_of="queues.conf",
        template="""\
{% for queue in plan.queues %}

[{{ queue.name }}]({{ QUEUE_TEMPLATE }})
strategy = {{ queue.strategy.value }}
timeout = {{ queue.ring_seconds }}
wrapuptime = {{ [queue.wrap_up_seconds, BELT_SECONDS] | min }}
autopause = {{ "all" if queue.missed_rings == 1 else "no" }}
maxlen = {{ queue.max_callers }}
weight = {{ queue.weight }}
announce-position = {{ "yes" if queue.announce_position else "no" }}
announce-frequency = {{ 60 if queue.announce_position else 0 }}
{% endfor %}
""",
    ),
    "zuoxi-extensions.conf": Generated(
        module="pbx_config",
        part_of="extensions.conf",
        template="""\
[globals](+)
{% if door %}
{{ DOOR }} = {{ door }}
{% endif %}
{% for queue in plan.queues %}
{{ QUEUE_RECORD }}{{ queue.name }} = {{ queue.recording.value }}
{{ QUEUE_ANNOUNCE }}{{ queue.name }} = {{ queue.announcement }}
{% endfor %}
{% for line in plan.directions %}
{{ RECORD }}{{ line.direction.value | upper }} = {{ line.recording.value }}
{{ ANNOUNCE }}{{ line.direction.value | upper }} = {{ line.announcement }}
{% endfor %}

[{{ HOTLINES }}](+)
{% for line in plan.hotlines %}
{% for queue in plan.queues if queue.name == line.queue %}
exten => {{ line.number }},1,Gosub({{ QUEUE }},s,1({{ queue.name }},{{ queue.max_wait_seconds }},{{ line.number }}))
{% endfor %}
{% endfor %}

[{{ QUEUES }}](+)
{% for queue in plan.queues %}
exten => {{ queue.name }},1,Gosub({{ QUEUE }},s,1({{ queue.name }},{{ queue.max_wait_seconds }}))
{% endfor %}

[{{ SEATS }}](+)
{% for seat in plan.seats %}
exten => {{ seat.extension }},1,Gosub({{ DIAL }},s,1({{ seat.interface }},{{ seat.extension }}))
{% endfor %}
""",
    ),
}

GENERATED: Final[Mapping[str, Generated]] = {**SITE_FILES, **PLAN_FILES}
