#include "operator/desired/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "operator/desired/certificates.h"
#include "tests/desired/fixture.h"

namespace baton::test {
namespace {

using desired::CertifiedKey;
using desired::SecretData;
using std::chrono::days;
using std::chrono::sys_seconds;
using ::testing::MatchesRegex;

constexpr sys_seconds kNow = std::chrono::sys_days(
    std::chrono::year_month_day(std::chrono::year(2026), std::chrono::November, std::chrono::day(21)));

/// What TLS would say: whether the certificate is valid for this host and purpose under this authority, at `when`.
bool verifies(const std::string& authority, const std::string& certificate, const char* host, int purpose,
              sys_seconds when) {
  const auto read = [](const std::string& pem) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), -1), BIO_free);
    return std::unique_ptr<X509, decltype(&X509_free)>(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                                       X509_free);
  };
  const auto root = read(authority);
  const auto leaf = read(certificate);
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), X509_STORE_free);
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                X509_STORE_CTX_free);
  X509_STORE_add_cert(store.get(), root.get());
  X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr);
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, when.time_since_epoch().count());
  X509_VERIFY_PARAM_set_purpose(parameters, purpose);
  X509_VERIFY_PARAM_set1_host(parameters, host, 0);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  return X509_verify_cert(context.get()) == 1;
}

SecretData fresh() { return desired::baton_secret_data(sample(), {}, {}, kNow).value(); }

TEST(Certificates, MembersVerifyByPodNameForBothEnds) {
  const SecretData data = fresh();
  const std::string& authority = data.at("ca.crt");
  EXPECT_TRUE(verifies(authority, data.at("shop-1.crt"), "shop-1", X509_PURPOSE_SSL_SERVER, kNow));
  EXPECT_TRUE(verifies(authority, data.at("shop-1.crt"), "shop-1", X509_PURPOSE_SSL_CLIENT, kNow));
  EXPECT_TRUE(
      verifies(authority, data.at("shop-1.crt"), "shop-1.shop-members.default.svc", X509_PURPOSE_SSL_SERVER, kNow));
  for (const char* const host : {"shop-primary", "shop-replicas.default.svc", "shop-2.shop-members.default.svc"}) {
    EXPECT_TRUE(verifies(authority, data.at("mysqld.crt"), host, X509_PURPOSE_SSL_SERVER, kNow)) << host;
  }
  EXPECT_FALSE(verifies(authority, data.at("mysqld.crt"), "shop-1", X509_PURPOSE_SSL_SERVER, kNow))
      << "mysqld must not be able to pass for a sidecar";
  EXPECT_FALSE(verifies(authority, data.at("shop-1.crt"), "shop-2", X509_PURPOSE_SSL_SERVER, kNow));
  EXPECT_FALSE(verifies(authority, data.at("shop-1.crt"), "shop-1", X509_PURPOSE_SSL_SERVER, kNow + days(366)));
  EXPECT_FALSE(verifies(fresh().at("ca.crt"), data.at("shop-1.crt"), "shop-1", X509_PURPOSE_SSL_SERVER, kNow));
}

TEST(Certificates, AreRenewedInTheLastThirdOfTheirLife) {
  const SecretData data = fresh();
  EXPECT_FALSE(desired::needs_renewal(data.at("shop-0.crt"), kNow));
  EXPECT_FALSE(desired::needs_renewal(data.at("shop-0.crt"), kNow + days(240)));
  EXPECT_TRUE(desired::needs_renewal(data.at("shop-0.crt"), kNow + days(246)));
  EXPECT_TRUE(desired::needs_renewal(data.at("shop-0.crt"), kNow + days(1000)));
  EXPECT_TRUE(desired::needs_renewal("no certificate", kNow));
}

TEST(Certificates, TellWhoIssuedThem) {
  const CertifiedKey one = desired::make_authority("one", kNow).value();
  const CertifiedKey other = desired::make_authority("one", kNow).value();
  const std::vector<std::string> names = {"shop-0"};
  const CertifiedKey issued = desired::issue_certificate(one, names, kNow).value();
  EXPECT_TRUE(desired::is_issued_by(one.certificate, issued));
  EXPECT_FALSE(desired::is_issued_by(other.certificate, issued));
  EXPECT_FALSE(desired::is_issued_by(one.certificate, {issued.certificate, other.key}));
  EXPECT_EQ(desired::issue_certificate({"", ""}, names, kNow).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(desired::issue_certificate(one, {}, kNow).error().kind, ErrorKind::kTerminal);
}

TEST(Certificates, RandomTextIsLettersAndDigits) {
  const std::string text = desired::random_text(1000).value();
  EXPECT_THAT(text, MatchesRegex("[A-Za-z0-9]{1000}"));
  EXPECT_NE(text, desired::random_text(1000).value());
}

TEST(Secrets, HoldExactlyTheMountedFilesAndTheAuthoritysKey) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : fresh()) {
    EXPECT_FALSE(value.empty()) << key;
    if (key != "ca.key") keys.push_back(key);
  }
  EXPECT_THAT(desired::mounted_files(sample().names()), ::testing::UnorderedElementsAreArray(keys));
  EXPECT_EQ(keys.size(), 5U + 2U + 18U);
}

TEST(Secrets, KeepWhatIsThere) {
  const SecretData data = fresh();
  EXPECT_EQ(desired::baton_secret_data(sample(), data, {{"password", "other"}}, kNow + days(30)).value(), data);
}

TEST(Secrets, FillInWhatIsMissing) {
  const SecretData data = fresh();
  SecretData holed = data;
  holed.erase("token");
  holed.erase("shop-3.key");
  holed["unknown"] = "x";
  const SecretData filled = desired::baton_secret_data(sample(), holed, {}, kNow).value();
  EXPECT_NE(filled.at("token"), data.at("token"));
  EXPECT_NE(filled.at("shop-3.crt"), data.at("shop-3.crt"));
  EXPECT_EQ(filled.at("shop-2.crt"), data.at("shop-2.crt"));
  EXPECT_EQ(filled.at("ca.key"), data.at("ca.key"));
  EXPECT_EQ(filled.at("replication-password"), data.at("replication-password"));
  EXPECT_FALSE(filled.contains("unknown"));
}

TEST(Secrets, RenewMembersButKeepTheAuthority) {
  const SecretData data = fresh();
  const SecretData later = desired::baton_secret_data(sample(), data, {}, kNow + days(300)).value();
  EXPECT_EQ(later.at("ca.crt"), data.at("ca.crt"));
  EXPECT_NE(later.at("shop-0.crt"), data.at("shop-0.crt"));
  EXPECT_TRUE(verifies(data.at("ca.crt"), later.at("shop-0.crt"), "shop-0", X509_PURPOSE_SSL_SERVER, kNow + days(600)));
}

TEST(Secrets, ANewAuthorityMakesEveryCertificateNew) {
  SecretData data = fresh();
  data["ca.key"] = "broken";
  const SecretData made = desired::baton_secret_data(sample(), data, {}, kNow).value();
  EXPECT_NE(made.at("ca.crt"), data.at("ca.crt"));
  EXPECT_TRUE(verifies(made.at("ca.crt"), made.at("shop-8.crt"), "shop-8", X509_PURPOSE_SSL_SERVER, kNow));
  EXPECT_EQ(made.at("token"), data.at("token"));
}

TEST(Secrets, TakeAnExistingApplicationPassword) {
  EXPECT_EQ(desired::baton_secret_data(sample(), {}, {{"password", "kept"}}, kNow).value().at("app-password"), "kept");
}

TEST(Secrets, ReadBackWhatTheyWrite) {
  const SecretData data = {{"a", ""}, {"b", "1"}, {"c", "12"}, {"d", "123"}, {"e", std::string("\0\xff\n", 3)}};
  EXPECT_EQ(desired::secret_data(desired::baton_secret(sample(), data)).value(), data);
  EXPECT_EQ(desired::secret_data(Json::object()).value(), SecretData{});
  EXPECT_EQ(desired::secret_data({{"data", {{"a", "?"}}}}).error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace baton::test
