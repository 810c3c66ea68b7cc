"""The centre of the browser tests and the pictures: three agents, a supervisor, their customers.

李敏 alone takes the support hotline; the pair hotline rings at 张伟 and 赵磊 at once. Each sits at a
seat of another SIPp, so that a test decides whose phone answers, and whose rings on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
import yaml

from crm_core.centre.plan import HotlinePlan, QueuePlan, SeatPlan, Strategy, SwitchPlan
from tests.harness import Product
from tests.lab.asterisk import Laboratory

PASSWORD = "a-password-of-the-laboratory"
SECRET = "a-secret-of-the-laboratory-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a page. `group` is the SIPp that is the phone at `extension`."""

    name: str
    full_name: str
    number: str
    role: str = "agent"
    queues: tuple[str, ...] = ()
    extension: str = ""
    group: int = 0


LIMIN = Person(
    name="limin",
    full_name="李敏",
    number="1021",
    queues=("support", "vip"),
    extension="8001",
    group=0,
)
ZHANGWEI = Person(
    name="zhangwei", full_name="张伟", number="1022", queues=("pair",), extension="8101", group=1
)
ZHAOLEI = Person(
    name="zhaolei", full_name="赵磊", number="1023", queues=("pair",), extension="8201", group=2
)
WANGFANG = Person(name="wangfang", full_name="王芳", number="2001", role="supervisor")
ADMIN = Person(name="admin", full_name="管理员", number="9001", role="admin")
EMPTY_SEAT = "8301"
"""A seat whose phone registers, and does not: nobody has put one there."""
PEOPLE = (LIMIN, ZHANGWEI, ZHAOLEI, WANGFANG, ADMIN)

QUEUES = (
    QueuePlan(name="support", title="售后", ring_seconds=30, wrap_up_seconds=0),
    QueuePlan(name="vip", title="VIP", ring_seconds=10, wrap_up_seconds=60),
    QueuePlan(
        name="pair", title="销售", strategy=Strategy.RINGALL, ring_seconds=30, wrap_up_seconds=0
    ),
)
SUPPORT, VIP, PAIR = "4008001234", "4008005678", "4008009012"
HOTLINES = {
    SUPPORT: ("support", "华东售后热线", "您好，华东设备售后服务，请问有什么可以帮您？"),
    VIP: ("vip", "华东VIP专线", "您好，华东设备VIP专线，很高兴为您服务。"),
    PAIR: ("pair", "华东销售热线", "您好，华东设备销售部。"),
}

KNOWN = "13800000101"
"""王建国's."""
SHARED = "02188880003"
"""The switchboard of 陈志强 and 陈美玲."""
HOSTILE = "13711110666"
HOSTILE_NAME = "<img src=x onerror=alert(1)>"
HOSTILE_COMPANY = "\"><script>alert(2)</script>'`{{7*7}}${7*7}"
HOSTILE_ADDRESS = "javascript:alert(3) <svg/onload=alert(4)> \u202egnp.exe 👩‍💻"
HOSTILE_REMARK = "长" * 200

CUSTOMERS = f"""\
姓名,等级,单位,地址,电话,设备,偏好,备注
王建国,A,苏州恒泰纺织有限公司,江苏省苏州市工业园区星湖街999号,{KNOWN};051288880001,HD-320 空压机,上午联系,年度保养客户，主管设备科
李秀英,A,杭州云栖印染厂,浙江省杭州市余杭区良渚街道88号,13900000202,HD-500 空压机,微信沟通,VIP，要求两小时内上门
陈志强,B,上海浦江食品有限公司,上海市浦东新区金桥路1288号,{SHARED};13600000303,HD-110 冷冻机,工作日下午,与陈美玲共用总机
陈美玲,C,上海浦江食品有限公司,上海市浦东新区金桥路1288号,13600000310,HD-75 封口机,邮件报价,与陈志强共用总机
赵海燕,B,南京金陵塑料制品厂,江苏省南京市江宁区将军大道166号,15000000404,HD-250 注塑机,勿在午休来电,
孙立军,C,宁波甬江五金厂,浙江省宁波市鄞州区首南路77号,15800000505,HD-90 台钻,短信通知,配件自取
周晓梅,A,合肥徽创电子有限公司,安徽省合肥市高新区望江西路520号,18600000606,HD-800 回流焊,专属工程师刘工,合同至年底
吴国栋,B,深圳前海包装材料有限公司,广东省深圳市南山区科苑路15号,17700000707,HD-160 分切机,晚上八点前,
"""


def a_plan(lab: Laboratory) -> SwitchPlan:
    agents = [person for person in PEOPLE if person.extension]
    return SwitchPlan(
        queues=QUEUES,
        hotlines=tuple(HotlinePlan(number=n, queue=queue) for n, (queue, _, _) in HOTLINES.items()),
        seats=(
            *(
                SeatPlan(
                    extension=person.extension,
                    interface=f"PJSIP/{person.extension}",
                    contact=f"sip:{person.extension}@127.0.0.1:{lab.ports.phones[person.group]}",
                )
                for person in agents
            ),
            SeatPlan(extension=EMPTY_SEAT, interface=f"PJSIP/{EMPTY_SEAT}", secret=SECRET),
        ),
    )


def a_setup() -> str:
    project = "华东售后"
    setup: dict[str, Any] = {
        "pbx": "lab",
        "projects": [{"name": project, "client": "华东设备有限公司", "default": True}],
        "queues": [
            {
                "name": queue.name,
                "title": queue.title,
                "project": project,
                "strategy": queue.strategy.value,
                "ring_seconds": queue.ring_seconds,
                "wrap_up_seconds": queue.wrap_up_seconds,
            }
            for queue in QUEUES
        ],
        "hotlines": [
            {"number": number, "name": name, "greeting": greeting, "queue": queue}
            for number, (queue, name, greeting) in HOTLINES.items()
        ],
        "teams": [{"name": "售后一班", "project": project}],
        "seats": [
            {"extension": person.extension, "contact": f"sip:{person.extension}@127.0.0.1"}
            for person in PEOPLE
            if person.extension
        ]
        + [{"extension": EMPTY_SEAT, "secret": SECRET}],
        "people": [_person(person) for person in PEOPLE],
        "customer_fields": [
            {"key": "device", "zh": "设备", "en": "Device", "kind": "text"},
            {"key": "preference", "zh": "偏好", "en": "Preference", "kind": "text"},
        ],
    }
    return yaml.safe_dump(setup, allow_unicode=True)


def _person(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "full_name": person.full_name,
        "agent_number": person.number,
        "roles": [person.role],
        "team": "售后一班",
        "queues": list(person.queues),
        "password": PASSWORD,
        **({"extension": person.extension} if person.extension else {}),
    }


def share_a_number(product: Product) -> None:
    """Let 陈美玲 have the switchboard's number too; an import would take her for 陈志强."""
    token = product.zuoxi("token", "create", "switchboard", "--role", "admin").strip()
    with httpx2.Client(
        base_url=product.url, headers={"Authorization": f"Bearer {token}"}
    ) as client:
        (found,) = client.get("/api/v1/customers", params={"phone": "13600000310"}).json()["items"]
        changed = client.patch(
            f"/api/v1/customers/{found['id']}", json={"phones": ["13600000310", SHARED]}
        )
        assert changed.status_code == 200, changed.text


def put_on(lab: Laboratory) -> None:
    """Let this Asterisk be the centre's."""
    lab.stop()
    lab.plan = a_plan(lab)
    lab.configure()
    lab.start()


def furnish(product: Product, *, hostile: bool = True) -> None:
    """Set-up and customers, by the commands that an administrator uses."""
    product.folder.mkdir(parents=True, exist_ok=True)
    (product.folder / "centre.yaml").write_text(a_setup(), encoding="utf-8")
    product.zuoxi("import", "setup", "centre.yaml")
    rows = CUSTOMERS
    if hostile:
        quoted = HOSTILE_COMPANY.replace('"', '""')
        rows += f'{HOSTILE_NAME},B,"{quoted}",{HOSTILE_ADDRESS},{HOSTILE},,,{HOSTILE_REMARK}\n'
    (product.folder / "customers.csv").write_text(rows, encoding="utf-8")
    product.zuoxi("import", "customers", "customers.csv")
