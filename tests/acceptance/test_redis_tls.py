"""A Redis that speaks TLS, with a certificate of an authority of our own: whichever way its URL is spelled."""

from pathlib import Path

import pytest
from redis import RedisError

from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import PATIENT, running
from tests.builders import some_settings
from tests.certificates import Certificate, make_certificate
from worker.bootstrap import connect_redis
from worker.domain.redis_refusals import cure


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("required", ["ssl_cert_reqs=CERT_REQUIRED", "ssl_cert_reqs=required"])
def test_edits_are_drained_through_an_encrypted_broker_however_its_url_is_spelled(
    certificate: Certificate, required: str, tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    speaks_tls = ["--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no"]
    shows = ["--tls-cert-file", str(certificate.certificate), "--tls-key-file", str(certificate.key)]
    trusts = ["--tls-ca-cert-file", str(certificate.authority)]
    with running(
        tmp_path,
        {"itwiki": sqlite_databases("itwiki")},
        beat=False,
        redis_url=f"rediss://localhost:{{port}}/0?{required}&ssl_ca_certs={certificate.authority}",
        redis_options=[*speaks_tls, *shows, *trusts],
        # So long that only what comes through Redis can be in time.
        poll_seconds=300,
        **PATIENT,
    ) as here:
        edits = sample_edits("itwiki", 3)
        here.save(edits)
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)
        with connect_redis(some_settings(redis_url=f"rediss://localhost:{here.redis_port}")) as distrustful:
            with pytest.raises(RedisError) as caught:
                distrustful.ping()
            assert "ssl_ca_certs" in cure(caught.value)
        assert "redis_gone" not in here.children["worker"].log.read_text()
