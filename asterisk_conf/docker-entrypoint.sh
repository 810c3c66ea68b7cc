#!/bin/sh
# Writes the site files of a container's Asterisk from its environment, then becomes Asterisk.
# What it writes is what telephony/dialplan.py renders for a Site (a test compares). Nothing is waited
# for: queues, hotlines and seats are written by Zuoxi whenever it comes up.
#
#   docker-entrypoint.sh COMMAND …       prepare /etc/asterisk, then exec COMMAND
#   docker-entrypoint.sh render FOLDER   the site files into FOLDER, and no more
set -eu
umask 027

refuse() {
  echo "docker-entrypoint.sh: $*" >&2
  exit 1
}

# matches NAME VALUE PATTERN WHAT: the whole value, which has no line break, or a sentence
matches() {
  [ "$(printf '%s' "$2" | wc -l)" -eq 0 ] && printf '%s' "$2" | LC_ALL=C grep -Eqx "$3" ||
    refuse "$1 must be $4"
}

render() {
  folder=$1
  : "${AMI_EVENTS_SECRET:=}" "${AMI_CONTROL_SECRET:=}" "${AMI_ADDRESS:=127.0.0.1}" "${AMI_PORT:=5038}"
  : "${AMI_CLIENTS:=127.0.0.1/32}" "${SIP_ADDRESS:=127.0.0.1}" "${SIP_PORT:=5060}"
  : "${RTP_FIRST:=10000}" "${RTP_LAST:=20000}" "${TRUNK_ADDRESSES:=}" "${ANSWER_FIRST:=yes}"
  : "${GATEWAY:=}" "${DISPLAY_NUMBER:=}"
  : "${NUMBERS:=1[3-9]XXXXXXXXX 0[1-9]XXXXXXXX 0[1-9]XXXXXXXXX 0[1-9]XXXXXXXXXX 400XXXXXXX}"

  secret='8 to 128 letters, digits, - . _ or ~ (it stands in a URL, too)'
  matches AMI_EVENTS_SECRET "$AMI_EVENTS_SECRET" '[A-Za-z0-9._~-]{8,128}' "$secret"
  matches AMI_CONTROL_SECRET "$AMI_CONTROL_SECRET" '[A-Za-z0-9._~-]{8,128}' "$secret"
  for name in AMI_ADDRESS SIP_ADDRESS; do
    eval "value=\$$name"
    matches "$name" "$value" '[0-9a-fA-F.:]{2,45}' 'an IP address'
  done
  for name in AMI_PORT SIP_PORT RTP_FIRST RTP_LAST; do
    eval "value=\$$name"
    matches "$name" "$value" '[0-9]{1,5}' 'a port'
  done
  matches AMI_CLIENTS "$AMI_CLIENTS" '[0-9a-fA-F.:/, ]+' 'IP addresses or networks, with commas'
  [ -z "$TRUNK_ADDRESSES" ] ||
    matches TRUNK_ADDRESSES "$TRUNK_ADDRESSES" '[0-9a-fA-F.:/, ]+' 'IP addresses or networks, with commas'
  matches ANSWER_FIRST "$ANSWER_FIRST" 'yes|no' 'yes or no'
  [ -z "$GATEWAY" ] || matches GATEWAY "$GATEWAY" '([0-9.]{7,15}|\[[0-9a-fA-F:]{2,39}\]):[0-9]{1,5}' \
    'an IP address and a port, 192.0.2.1:5060'
  [ -z "$GATEWAY" ] || [ -n "$TRUNK_ADDRESSES" ] || refuse "GATEWAY must be one of TRUNK_ADDRESSES"
  [ -z "$DISPLAY_NUMBER" ] || matches DISPLAY_NUMBER "$DISPLAY_NUMBER" '\+?[0-9]{2,24}' '2 to 24 digits'
  matches NUMBERS "$NUMBERS" '([0-9XZN ]|\[[0-9](-[0-9]|[0-9]*)\])+' 'patterns of digits, X, Z, N and [3-9]'

  mkdir -p "$folder"
  # An unguessable word, made once: it begins every Uniqueid, so it must stay the same.
  known=$(sed -n 's/^systemname = \([A-Za-z0-9]\{1,32\}\)$/\1/p' "$folder/zuoxi-asterisk.conf" 2>/dev/null || true)
  name=${known:-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')}

  put "$folder/zuoxi-asterisk.conf" "systemname = $name"
  {
    printf '[general](+)\nbindaddr = %s\nport = %s\n' "$AMI_ADDRESS" "$AMI_PORT"
    account zuoxi-events "$AMI_EVENTS_SECRET"
    account zuoxi-control "$AMI_CONTROL_SECRET"
  } | put "$folder/zuoxi-manager.conf"
  printf 'rtpstart = %s\nrtpend = %s\n' "$RTP_FIRST" "$RTP_LAST" | put "$folder/zuoxi-rtp.conf"
  {
    printf '[zuoxi-udp]\ntype = transport\nprotocol = udp\nbind = %s:%s\n' "$SIP_ADDRESS" "$SIP_PORT"
    if [ -n "$TRUNK_ADDRESSES" ]; then
      printf '\n[zuoxi-trunk](zuoxi-trunk-endpoint)\ntransport = zuoxi-udp\n'
      if [ -n "$GATEWAY" ]; then
        printf 'aors = zuoxi-trunk\n\n[zuoxi-trunk]\ntype = aor\ncontact = sip:%s\n' "$GATEWAY"
      fi
      printf '\n[zuoxi-trunk]\ntype = identify\nendpoint = zuoxi-trunk\n'
      for network in $(spaced "$TRUNK_ADDRESSES"); do printf 'match = %s\n' "$network"; done
    fi
  } | put "$folder/zuoxi-pjsip.conf"
  {
    printf '[globals](+)\nZX_ANSWER_FIRST = %s\nZX_DISPLAY_NUMBER = %s\n' "$ANSWER_FIRST" "$DISPLAY_NUMBER"
    if [ -n "$GATEWAY" ]; then
      printf '\n[zuoxi-numbers](+)\n'
      # A pattern's brackets are no names of files.
      set -f
      for pattern in $NUMBERS; do
        printf 'exten => _%s,1,Gosub(zuoxi-dial-out,${EXTEN},1)\n' "$pattern"
      done
      set +f
    fi
  } | put "$folder/zuoxi-globals.conf"
}

account() {
  printf '\n[%s](+)\nsecret = %s\n' "$1" "$2"
  for network in $(spaced "$AMI_CLIENTS"); do printf 'permit = %s\n' "$network"; done
}

spaced() {
  printf '%s' "$1" | tr ',' ' '
}

# put FILE [LINE]: the line, or what is piped in; whole or not at all
put() {
  if [ $# -gt 1 ]; then printf '%s\n' "$2" >"$1.new"; else cat >"$1.new"; fi
  mv "$1.new" "$1"
}

prepare() {
  render /etc/asterisk/zuoxi-site
  chown -R root:asterisk /etc/asterisk/zuoxi-site
  # Zuoxi, another user in another container, writes here and reads there: both are in zuoxi-files.
  chgrp zuoxi-files /etc/asterisk/zuoxi
  chmod 2775 /etc/asterisk/zuoxi
  for file in seats queues extensions; do
    path=/etc/asterisk/zuoxi/zuoxi-$file.conf
    # A file that is missing would be an error of the one that includes it.
    [ -e "$path" ] || { : >"$path" && chgrp zuoxi-files "$path" && chmod 640 "$path"; }
  done
  chown asterisk:zuoxi-files /var/log/asterisk
  chmod 2750 /var/log/asterisk
  mkdir -p /run/asterisk
  chown asterisk:asterisk /run/asterisk
}

if [ "${1:-}" = render ]; then
  render "${2:?render needs a folder}"
else
  prepare
  exec "$@"
fi
