"""Settings of the login through an OpenID provider."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from storage.domain.settings.environment import CONFIG


class OidcSettings(BaseSettings):
    """Login through an OpenID provider; off without an issuer."""

    model_config = CONFIG

    oidc_issuer: str | None = Field(
        None, description="Issuer URL of an OpenID provider; the login page then offers it."
    )
    oidc_client_id: str = Field("", description="Client id that the provider assigned to this installation.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Client secret; without one the client is public and protected only by PKCE."
    )
    oidc_name: str = Field("your organisation", description="The provider's name on the login button.")
    oidc_scopes: str = Field("openid profile email", description="Scopes to request.")
    oidc_create_users: bool = Field(
        False,
        description="Create an account for everybody whom the provider logs in, whatever the registration policy.",
    )
    oidc_groups_claim: str = Field("groups", description="Claim of the ID token that lists groups.")
    oidc_admin_group: str | None = Field(
        None, description="Members of this group are administrators; the provider's other users are not."
    )
