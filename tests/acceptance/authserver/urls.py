"""The two endpoints that refresher and its tests use; the views are the toolkit's, unchanged.

No view of our own belongs here: the point of this server is that we did not write it.
"""
# mypy: disable-error-code="import-untyped"
# Django and the toolkit ship no type information.

from django.urls import path
from oauth2_provider.views import IntrospectTokenView, TokenView

TOKEN_PATH = "/o/token/"
INTROSPECT_PATH = "/o/introspect/"

urlpatterns = [
    path(TOKEN_PATH.removeprefix("/"), TokenView.as_view(), name="token"),
    path(INTROSPECT_PATH.removeprefix("/"), IntrospectTokenView.as_view(), name="introspect"),
]
