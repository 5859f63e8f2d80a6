"""What other systems call providers, where it is not what we call them.

Only names whose token endpoint is our entry's: a sandbox with an endpoint of its own is not here. They
are those of their sources in November 2026: Nango's providers.yaml, the ids of providers of Auth.js and
django-allauth, python-social-auth's backends, Supabase Auth's providers, Composio's slugs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class System(StrEnum):
    """A system that connections move in from."""

    NANGO = "nango"
    AUTHJS = "authjs"
    PYTHON_SOCIAL_AUTH = "python-social-auth"
    DJANGO_ALLAUTH = "django-allauth"
    SUPABASE = "supabase"
    COMPOSIO = "composio"


def _named(**names: str) -> Mapping[str, str]:
    """Returns ours by theirs; each of ours is written with an underscore for a hyphen."""
    return {
        theirs: ours.replace("_", "-")
        for ours, listed in names.items()
        for theirs in listed.split()
    }


NAMES: Mapping[System, Mapping[str, str]] = {
    System.NANGO: _named(
        apollo="apollo-oauth",
        atlassian="jira confluence",
        atlassian_government="atlassian-government-cloud",
        cal_com="cal-com-oauth",
        facebook="meta-marketing-api",
        fathom="fathom-oauth",
        figma="figjam",
        follow_up_boss="followupboss",
        garmin="garmin-oauth2",
        glean="glean-oauth",
        gong="gong-oauth",
        google=(
            "google-ads google-analytics google-bigquery google-calendar google-calendar-mcp "
            "google-chat google-cloud-storage google-contacts google-docs google-drive google-forms "
            "google-health google-mail google-meet google-play google-search-console google-sheet "
            "google-slides google-tasks google-workspace-admin stitch-mcp"
        ),
        help_scout="helpscout-mailbox",
        hibob="hibob-oauth",
        highlevel="highlevel-white-label",
        klaviyo="klaviyo-oauth",
        looker="looker-oauth",
        microsoft=(
            "azure-blob-storage microsoft-admin microsoft-ads microsoft-entra-id microsoft-excel "
            "microsoft-people microsoft-planner microsoft-power-bi microsoft-powerpoint "
            "microsoft-teams microsoft-teams-bot microsoft-tenant-specific microsoft-word one-drive "
            "one-drive-personal "
            "one-note outlook sharepoint-online"
        ),
        ninjaone="ninjaone-rmm-oauth2",
        okta="okta-preview",
        posthog="posthog-oauth",
        practice_fusion="practicefusion",
        precise_fp="precisefp",
        quickbooks="intuit quickbooks-sandbox",
        quickbooks_time="tsheetsteam",
        ringcentral="ring-central",
        sage_accounting="sage",
        sage_intacct="sage-intacct-oauth",
        salesforce="salesforce-sandbox salesforce-experience-cloud",
        salesmsg="salesmsg-oauth2",
        square="squareup",
        strava="strava-web",
        stripe_apps="stripe-app",
        tiktok="tiktok-personal",
        travelperk="perk",
        wave="wave-accounting",
        wildix="wildix-pbx",
        workable="workable-oauth",
        x="twitter-v2",
        zoho=(
            "zoho-bigin zoho-books zoho-calendar zoho-crm zoho-desk zoho-inventory zoho-invoice "
            "zoho-mail zoho-people zoho-recruit"
        ),
    ),
    System.AUTHJS: _named(
        amazon_cognito="cognito",
        duende_identityserver="duende-identity-server6",
        eve_online="eveonline",
        microsoft="azure-ad microsoft-entra-id",
        ory_hydra="hydra",
        x="twitter",
    ),
    System.PYTHON_SOCIAL_AUTH: _named(
        amazon_cognito="cognito",
        bitbucket="bitbucket-oauth2",
        dropbox="dropbox-oauth2",
        eve_online="eveonline",
        facebook="facebook-app",
        github="github-org github-team github-app",
        google="google-oauth2 google-openidconnect",
        linkedin="linkedin-oauth2 linkedin-openidconnect linkedin-mobile-oauth2",
        login_with_amazon="amazon",
        mendeley="mendeley-oauth2",
        microsoft="azuread-oauth2-v2 azuread-v2-tenant-oauth2 microsoft-graph",
        okta="okta-oauth2 okta-openidconnect",
        paypal="paypal-oauth2",
        salesforce="salesforce-oauth2 salesforce-oauth2-sandbox",
        vk="vk-id",
        x="twitter-oauth2",
        yahoo="yahoo-oauth2",
        yandex="yandex-oauth2",
        zoom="zoom-oauth2",
    ),
    System.DJANGO_ALLAUTH: _named(
        bitbucket="bitbucket_oauth2",
        eve_online="eveonline",
        linkedin="linkedin_oauth2",
        login_with_amazon="amazon",
        tumblr="tumblr_oauth2",
        x="twitter_oauth2",
    ),
    System.SUPABASE: _named(
        linkedin="linkedin_oidc", microsoft="azure", slack="slack_oidc"
    ),
    System.COMPOSIO: _named(
        atlassian="jira confluence",
        cal_com="cal",
        canvas_lms="canvas",
        google=(
            "gmail googleads google_analytics google_search_console googlebigquery googlecalendar "
            "googlechat googlecontacts googledocs googledrive googleforms googlemeet googlephotos "
            "googlesheets googleslides googlesuper googletasks"
        ),
        microsoft="excel microsoft_teams one_drive onenote outlook share_point",
        slack="slackbot",
        x="twitter",
    ),
}  # fmt: skip
HOSTS: Mapping[tuple[System, str], str] = {
    (System.NANGO, "one-drive-personal"): "consumers",
    (System.NANGO, "salesforce"): "login.salesforce.com",
    (System.NANGO, "salesforce-sandbox"): "test.salesforce.com",
    (System.AUTHJS, "salesforce"): "login.salesforce.com",
    (System.PYTHON_SOCIAL_AUTH, "amazon"): "api.amazon.com",
    (System.PYTHON_SOCIAL_AUTH, "salesforce-oauth2"): "login.salesforce.com",
    (System.PYTHON_SOCIAL_AUTH, "salesforce-oauth2-sandbox"): "test.salesforce.com",
    (System.DJANGO_ALLAUTH, "amazon"): "api.amazon.com",
    (System.DJANGO_ALLAUTH, "salesforce"): "login.salesforce.com",
}
"""The host that stands in their source, for connections beside which they note none."""
