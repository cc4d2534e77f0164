# shellcheck shell=bash
# Sourced by the tests that want certificates: authorities, and what they sign. All files are in $T,
# NAME.crt and NAME.key (mode 0600). FROM and UNTIL (YYYYMMDDHHMMSSZ) limit their time.

# sign NAME CA EXTENSION...
sign() {
    local name=$1 ca=$2 dir=$T/$1.ca
    shift 2
    mkdir "$dir"
    : >"$dir/index"
    printf '%s\n' '[ca]' 'default_ca = d' '[d]' "database = $dir/index" "new_certs_dir = $dir" \
        'default_md = sha256' 'policy = p' 'rand_serial = yes' 'x509_extensions = e' \
        '[p]' 'commonName = supplied' '[e]' "$@" '[req]' 'distinguished_name = n' '[n]' >"$dir/conf"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config "$dir/conf" \
        -subj "/CN=$name" -keyout "$T/$name.key" -out "$dir/csr" 2>>"$T/openssl"
    set -- -cert "$T/$ca.crt"
    [[ $name != "$ca" ]] || set -- -selfsign
    openssl ca -batch -notext -config "$dir/conf" "$@" -keyfile "$T/$ca.key" \
        -startdate "${FROM:-20200101000000Z}" -enddate "${UNTIL:-21200101000000Z}" \
        -in "$dir/csr" -out "$T/$name.crt" 2>>"$T/openssl"
    chmod 600 "$T/$name.key"
}

# make_ca NAME
make_ca() { sign "$1" "$1" 'basicConstraints = critical,CA:TRUE' 'subjectKeyIdentifier = hash'; }

# make_cert NAME CA SAN [EXTENSION...]: SAN as OpenSSL has it (DNS:a,IP:127.0.0.1), "" for none.
make_cert() {
    local name=$1 ca=$2 san=$3
    shift 3
    sign "$name" "$ca" 'basicConstraints = CA:FALSE' ${san:+"subjectAltName = $san"} "$@"
}

# make_crl NAME CA [CERT...]: the CA's list of these as revoked, NAME.crl.
make_crl() {
    local name=$1 ca=$2 dir=$T/$1.crl.d cert
    shift 2
    mkdir "$dir"
    : >"$dir/index"
    echo 01 >"$dir/number"
    printf '%s\n' '[ca]' 'default_ca = d' '[d]' "database = $dir/index" "crlnumber = $dir/number" \
        'default_md = sha256' >"$dir/conf"
    for cert; do
        openssl ca -config "$dir/conf" -cert "$T/$ca.crt" -keyfile "$T/$ca.key" -revoke "$T/$cert.crt" 2>>"$T/openssl"
    done
    openssl ca -config "$dir/conf" -cert "$T/$ca.crt" -keyfile "$T/$ca.key" -gencrl -out "$T/$name.crl" \
        -crl_lastupdate "${FROM:-20200101000000Z}" -crl_nextupdate "${UNTIL:-21200101000000Z}" 2>>"$T/openssl"
}
