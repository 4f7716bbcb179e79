//! What a campaign can be advertised with, ready to be copied with the affiliate's own link in it.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::{
    CampaignId,
    material::{Content, Ways, embedded, told_apart},
};

use crate::{
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        materials::{Preview, image_url, kind_name, preview},
        session::Visitor,
        words::tell,
    },
    store::{
        self,
        links::{self, Link},
        materials::{Material, Wanted},
    },
};

struct Line {
    name: String,
    kind: String,
    text: String,
    picture: Option<Preview>,
    size: Option<String>,
    code: Option<String>,
}

#[derive(Template)]
#[template(path = "materials.html")]
struct Page {
    frame: Frame,
    id: String,
    campaign: String,
    has_link: bool,
    lines: Vec<Line>,
}

/// The materials of a campaign that the affiliate may see.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let affiliate = by.affiliate()?;
    let id: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let mut db = pages.app.db.acquire().await?;
    let campaign = store::campaigns::find(&mut db, id, Some(affiliate)).await?.ok_or(Fault::NotFound)?;
    let newest = links::Wanted { affiliate: Some(affiliate), campaign: Some(id), ..links::Wanted::default() };
    let link = store::links::list(&mut db, &newest, &pages.app.tracker_url, 1).await?.pop();
    let wanted = Wanted { campaign: Some(id), ..Wanted::default() };
    let found = store::materials::list(&mut db, &wanted, i64::MAX).await?;
    let page = Page {
        frame: by.frame(Place::Campaigns),
        id: id.to_string(),
        campaign: campaign.name,
        has_link: link.is_some(),
        lines: found.into_iter().map(|one| line(&pages, one, link.as_ref())).collect(),
    };
    Ok(rendered(&page))
}

fn line(pages: &Pages, one: Material, link: Option<&Link>) -> Line {
    let picture = preview(&one);
    let size = picture.as_ref().map(|picture| {
        tell(
            "material-size",
            &[("width", &picture.width.to_string()), ("height", &picture.height.to_string())],
        )
    });
    Line {
        code: link.map(|link| code(pages, &one, link)),
        kind: kind_name(one.kind),
        name: one.name,
        text: one.text,
        picture,
        size,
    }
}

/// What is copied.
fn code(pages: &Pages, one: &Material, link: &Link) -> String {
    let link_url = told_apart(&link.url, one.id);
    let ways = Ways { link: &link_url, impression: &link.impression_url };
    let url = image_url(&pages.address, one.id);
    let content = match one.width.zip(one.height) {
        Some(size) => Content::Banner { url: &url, size, alternative: &one.text },
        None => Content::Words(&one.text),
    };
    embedded(content, ways)
}
