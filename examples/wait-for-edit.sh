#!/usr/bin/env bash
#
# Edits a service of ArcGIS Enterprise and waits for the end of the edit. Needs curl and jobwatch.
#
#   export ARCGIS_PASSWORD_FILE=/run/secrets/arcgis JOBWATCH_TOKEN_FILE=/run/secrets/jobwatch
#   ./wait-for-edit.sh service.json
#
# service.json is the whole service: save what <root>/services/<service>?f=pjson shows, change what
# is to change, and leave the rest as it is.
#
# Ends with 0 when the service is edited, 1 when the edit was refused, failed or was cancelled, 2 when
# something is missing here, 3 when it takes too long, 4 when nobody knows, 5 without jobwatch.
set -euo pipefail

# Change these four, here or in the environment.
root=${ARCGIS_ROOT:-https://gis.example.com/arcgis/admin}
username=${ARCGIS_USERNAME:-siteadmin}
service=${ARCGIS_SERVICE:-Roads.MapServer} # Folder/Roads.MapServer where it is in a folder
export JOBWATCH_URL=${JOBWATCH_URL:-http://127.0.0.1:8484}

# How long to wait. The edit itself goes on when this is over.
timeout=${WAIT_TIMEOUT:-2h}

complain() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
}

give_up() {
  complain "$1"
  exit 2
}

# Prints the variable of this name, or else what is in the file that NAME_FILE names.
secret() {
  local file=${1}_FILE
  if [[ -n ${!1:-} ]]; then
    printf '%s' "${!1}"
  elif [[ -n ${!file:-} ]]; then
    cat -- "${!file}"
  fi
}

# Posts a form to ArcGIS. The token will be bound to the referer, so every request sends the same one.
post() {
  curl --silent --show-error --fail --max-time 120 --referer jobwatch --data f=json "$@"
}

[[ $# -eq 1 && -r $1 ]] || give_up 'give it one file: the JSON of the service'
password=$(secret ARCGIS_PASSWORD)
[[ -n $password ]] || give_up 'set ARCGIS_PASSWORD or ARCGIS_PASSWORD_FILE'
JOBWATCH_TOKEN=$(secret JOBWATCH_TOKEN)
export JOBWATCH_TOKEN

# A token of the portal, which is beside the Administrator API. Secrets go to curl on its stdin:
# arguments are there for everybody to see who can list the processes of this machine.
granted=$(
  printf '%s' "$password" | post "${root%/*}/sharing/rest/generateToken" \
    --data-urlencode "username=$username" --data-urlencode password@- \
    --data client=referer --data referer=jobwatch --data expiration=60
) || give_up 'the portal cannot be asked for a token'
token=$(sed -n 's/.*"token" *: *"\([^"]*\)".*/\1/p' <<<"$granted")
[[ -n $token ]] || give_up "the portal gave no token: ${granted:0:500}"

# With async=true the answer comes at once, and names a job.
answer=$(
  printf '%s' "$token" | post "$root/services/$service/edit" \
    --data-urlencode token@- --data-urlencode "service@$1" --data async=true
) || give_up 'the edit could not be submitted'

# jobwatch finds the job in that answer; if ArcGIS refused the edit, it quotes what ArcGIS said.
status=0
jobwatch watch - --label "edit of $service" <<<"$answer" || status=$?
if [[ $status -eq 0 ]]; then
  jobwatch wait - --timeout "$timeout" <<<"$answer" || status=$?
fi

case $status in
  0) echo "$service is edited." ;;
  1) complain "the edit of $service was refused, failed or was cancelled, as said above" ;;
  3) complain "the edit of $service still runs after $timeout, and goes on" ;;
  4) complain "nobody knows how the edit of $service came out: look at the service itself" ;;
  5) complain "jobwatch cannot be reached; the edit of $service goes on without it" ;;
  *) complain "jobwatch ended with $status, as said above" ;;
esac
exit "$status"
