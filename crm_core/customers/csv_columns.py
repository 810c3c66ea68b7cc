"""The columns of a customers' csv: a field, and the names its column may have in the first line.

Upper and lower case, spaces, dots and a number at the end (手机2) make no difference.
"""

from __future__ import annotations

from collections.abc import Mapping

PHONE = "phones"
CONTACT = "contact"
POSITION = "position"

NAMES: Mapping[str, str] = {
    "name": "姓名 名称 客户 客户名称 客户姓名 客户名 name customer customername fullname",
    PHONE: (
        "电话 电话号码 联系电话 联系方式 手机 手机号 手机号码 座机 固话 固定电话 号码 来电号码 "
        "phone phones phonenumber mobile mobilephone mobilenumber cell cellphone tel telephone"
    ),
    "grade": "等级 级别 客户等级 客户级别 grade level",
    "company": "单位 公司 单位名称 公司名称 工作单位 company organisation organization",
    "address": "地址 联系地址 通讯地址 address",
    "remark": "备注 说明 remark remarks note notes comment",
    CONTACT: "联系人 联系人姓名 contact contactname contactperson",
    POSITION: "职务 职位 position jobtitle",
}
