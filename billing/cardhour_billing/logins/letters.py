"""Letters about one's own login: a link to a new password, an invitation.

Owns their words, in one language: that of the page on which they were asked for, or the customer's. Does not own links
(``logins.password_reset``, ``invitation``) nor sending (``mailing``).
"""

from __future__ import annotations

from cardhour_billing.sending.mail import Letter

CHINESE = "zh-hans"


def reset_letter(key: str, to: str, *, login: str, link: str, sender: str, language: str) -> Letter:
    """The link to a new password."""
    if language == CHINESE:
        subject = "重设登录密码"
        text = (
            f"有人在登录页面为登录名 {login} 申请了重设密码。"
            f"请在一小时内打开下面的链接设置新密码，链接只能使用一次：\n\n{link}\n\n设置之后，该登录名的其他会话全部退出。\n\n如果不是您本人申请，请忽略此邮件：密码不会改变。"
        )
    else:
        subject = "A new password"
        text = (
            f"Somebody asked on the sign-in page for a new password of the login {login}.\n"
            f"Set one here within an hour; the link is good once:\n\n{link}\n\n"
            "Other sessions of this login end when it is set.\n\n"
            "If it was not you, do nothing: your password stays as it is."
        )
    return _letter(key, to, subject, text, sender)


def invitation_letter(
    key: str, to: str, *, login: str, of: str, who: str, link: str, until: str, sender: str, language: str
) -> Letter:
    """The link to a first password. ``of``: the customer's name; empty for staff."""
    if language == CHINESE:
        subject = "邀请您登录用量与账单门户"
        text = (
            f"{who} 邀请您使用 {sender} 的门户{f'，查看 {of} 的用量和账单' if of else ''}。\n\n登录名：{login}\n\n"
            f"请在 {until} 之前打开下面的链接设置密码，链接只能使用一次：\n\n{link}\n\n"
            "如果您不认识邀请人，请忽略此邮件。"
        )
    else:
        subject = "You are invited to the portal"
        text = (
            f"{who} invites you to the portal of {sender}{f', for the usage and invoices of {of}' if of else ''}.\n\n"
            f"You sign in as {login}.\n\nSet your password here until {until}; the link is good once:\n\n{link}\n\n"
            "If you do not know who invites you, do nothing."
        )
    return _letter(key, to, subject, text, sender)


def _letter(key: str, to: str, subject: str, text: str, sender: str) -> Letter:
    return Letter(key=key, recipients=(to,), subject=f"{sender}: {subject}", text=f"{text}\n\n{sender}\n")
