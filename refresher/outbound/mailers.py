"""Sends mail: over SMTP, through a mail API over HTTP, or to the console while developing.

    message.py  what a mail consists of, and its headers     smtp.py     smtplib, connections kept
    render.py   templates, ours or the user's                http.py     a JSON API
    sender.py   the seam: `send(message) -> Outcome`         console.py  prints

What a server answers is an outcome of `rules/mails.py`, never an exception. Nothing here knows the
database.
"""

from refresher.outbound.mail import Message
from refresher.outbound.mail_templates import Rendered, Renderer, TemplateFault
from refresher.outbound.mailer import MailSender, make_sender

__all__ = ["MailSender", "Message", "Rendered", "Renderer", "TemplateFault", "make_sender"]
